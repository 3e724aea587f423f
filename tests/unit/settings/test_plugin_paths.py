"""Paths with `..` in plug-ins: refused before a run, unless every file of the folder counts as code."""

import pytest

from projects import study_text
from touchstone import plugins
from touchstone.settings.files import ParamsError
from touchstone.settings.study import load


def told(tmp_path, path):
    """The mistakes of a study with a detector that reads a path."""
    for file in ("mine/shared/lut.csv", "outside/lut.csv"):
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
    ],
)
def test_a_path_that_no_digest_follows_is_refused(tmp_path, path):
    words = told(tmp_path, path)

    assert words.startswith(f"plugins: {tmp_path}/mine/detectors/own.py: ")
    assert "lut.csv, whose edits no digest of the code would show: put it into" in words


@pytest.mark.parametrize(
    "path", ['Path("shared/lut.csv")', 'Path(__file__).parent / "../shared/lut.csv"', 'Path("../../nowhere/lut.csv")']
)
def test_a_path_beside_a_plug_in_that_counts_and_one_to_nothing_are_not(tmp_path, path):
    assert told(tmp_path, path) == ""
