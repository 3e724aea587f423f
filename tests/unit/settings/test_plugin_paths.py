"""Paths in plug-ins that no digest follows are refused before a run, unless every file of the folder counts as code."""

import pytest

from projects import study_text
from touchstone import plugins
from touchstone.settings.files import ParamsError
from touchstone.settings.study import load


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    """A project, which is the home folder, too."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))


def told(tmp_path, path):
    """The mistakes of a study with a detector that reads a path."""
    path = path.replace("TMP", str(tmp_path))
    for file in ("mine/shared/lut.csv", "outside/lut.csv", "lut.csv"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text("1")
    (tmp_path / "mine/detectors").mkdir()
    (tmp_path / "mine/detectors/own.py").write_text(
        f'"""Reads ../shared/lut.csv."""\nfrom pathlib import Path\n\nfrom torch import Tensor\n\n\n'
        f"def own(logits: Tensor) -> Tensor:\n    return logits.amax(1) * float(({path}).read_text())\n"
    )
    change = {"detectors": {"own": {"use": "own"}}, "evaluations": {"effort": {"detectors": ["msp", "own"]}}}
    (tmp_path / "own.yaml").write_text(study_text(plugins=[f"{tmp_path}/mine"], change=change))
    try:
        load(str(tmp_path / "own.yaml"))
    except ParamsError as error:
        return str(error)
    finally:
        plugins.use([])
    return ""


@pytest.mark.parametrize(
    "path",
    [
        'Path("../../outside/lut.csv")',
        'Path("shared/../shared/lut.csv")',
        'Path(__file__).parent / "../../outside/lut.csv"',
        'Path("outside/lut.csv")',
        'Path("mine/shared/lut.csv")',
        'Path("TMP/mine/shared/lut.csv")',
        'Path("~/outside/lut.csv").expanduser()',
        'Path("lut.csv")',
    ],
)
def test_a_path_that_no_digest_follows_is_refused(tmp_path, path):
    words = told(tmp_path, path)

    assert words.startswith(f"{tmp_path}/own.yaml: plugins: {tmp_path}/mine/detectors/own.py: ")
    assert "lut.csv, whose edits no digest of the code would show: put it into" in words


@pytest.mark.parametrize(
    "path",
    [
        'Path("shared/lut.csv")',
        'Path(__file__).parent / "../shared/lut.csv"',
        'Path("../../nowhere/lut.csv")',
        'Path("/nowhere/lut.csv")',
        'Path("~nobody/lut.csv")',
        'Path("." + "/" * 3)',
        f'Path("{"a long sentence. " * 99}" and "/nowhere")',
    ],
)
def test_a_path_beside_a_plug_in_that_counts_and_one_to_nothing_are_not(tmp_path, path):
    assert told(tmp_path, path) == ""


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "def other(logits):\n    return logits\n",
            "detectors/own.py has no function or class called own (in TMP/mine)",
        ),
        (
            "from torch import Tensor\n\n\ndef own(logits: Tensor, *, use: int = 1) -> Tensor:\n    return logits\n",
            "detectors/own.py has a setting called use, which names the component itself; rename it",
        ),
    ],
)
def test_a_component_that_breaks_the_rules_is_told_with_the_study(tmp_path, text, told):
    (tmp_path / "mine/detectors").mkdir(parents=True)
    (tmp_path / "mine/detectors/own.py").write_text(text)
    change = {"detectors": {"own": {"use": "own"}}, "evaluations": {"effort": {"detectors": ["msp", "own"]}}}
    path = tmp_path / "own.yaml"
    path.write_text(study_text(plugins=[f"{tmp_path}/mine"], change=change))
    try:
        with pytest.raises(ParamsError) as error:
            load(str(path))
    finally:
        plugins.use([])

    assert str(error.value).startswith(str(path))
    assert told.replace("TMP", str(tmp_path)) in str(error.value)
