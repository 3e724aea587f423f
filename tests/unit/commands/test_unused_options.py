"""Options that would have no effect are refused before anything runs, as argparse refuses wrong arguments."""

import pytest

from touchstone.__main__ import main

ARTEFACT = "results/own/prepare/own/examples/tested.safetensors"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder outside a clone."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("check own --no-run", "argument --no-run: is only for a paper, and own is a study"),
        ("check own --cores 2", "argument --cores: is only for a paper, and own is a study"),
        ("check ./mine --entry pgd", "argument --entry: is only for a study, and ./mine is a paper"),
        ("check ./mine --no-run --cores 2", "argument --cores: not allowed with argument --no-run"),
        ("trace a --json --depth 1", "argument --depth: not allowed with argument --json"),
        (f"audit {ARTEFACT} --no-render", f"argument --no-render: is only for a study, and {ARTEFACT} is an artefact"),
        (
            f"audit {ARTEFACT} --recompute 1",
            f"argument --recompute: is only for a study, and {ARTEFACT} is an artefact",
        ),
        (f"audit {ARTEFACT} --seed 0", f"argument --seed: is only for a study, and {ARTEFACT} is an artefact"),
        (f"audit {ARTEFACT} --cpu x", f"argument --cpu: is only for a study, and {ARTEFACT} is an artefact"),
        ("audit own --cpu x", "argument --cpu: needs --root DIGEST"),
        ("audit own --seed 0", "argument --seed: needs --recompute N"),
        ("show own --paper a --number P1-1", "argument --number: not allowed with argument --paper"),
        (f"show {ARTEFACT} --number P1-1", f"argument --number: is only for a study, and {ARTEFACT} is an artefact"),
        (f"show {ARTEFACT} --table a b", f"argument --table: is only for a study, and {ARTEFACT} is an artefact"),
    ],
)
def test_an_option_without_an_effect_is_refused(capsys, line, message):
    with pytest.raises(SystemExit, match="2"):
        main(line.split())

    assert f"error: {message}" in capsys.readouterr().err
