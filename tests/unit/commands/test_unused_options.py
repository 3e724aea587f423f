"""Options that would have no effect are refused before anything runs, in a sentence."""

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
        ("check own --no-run", "--no-run is only for a paper, and own is a study"),
        ("check own --cores 2", "--cores is only for a paper, and own is a study"),
        ("check ./mine --entry pgd", "--entry is only for a study, and ./mine is a paper"),
        ("check ./mine --no-run --cores 2", "--no-run and --cores do not go together"),
        ("trace a --json --depth 1", "--depth and --json do not go together"),
        (f"audit {ARTEFACT} --no-render", f"--no-render is only for a study, and {ARTEFACT} is an artefact"),
        (
            f"audit {ARTEFACT} --recompute 1",
            f"--recompute is only for a study, and {ARTEFACT} is an artefact",
        ),
        (f"audit {ARTEFACT} --seed 0", f"--seed is only for a study, and {ARTEFACT} is an artefact"),
        (f"audit {ARTEFACT} --cpu x", f"--cpu is only for a study, and {ARTEFACT} is an artefact"),
        (f"audit {ARTEFACT} --all", f"--all is only for a study, and {ARTEFACT} is an artefact"),
        ("audit own --all --recompute 1", "--all and --recompute do not go together"),
        ("audit own --all --seed 0", "--all and --seed do not go together"),
        ("verify own.pack --all --share 0.1", "--all and --share do not go together"),
        ("audit own --cpu x", "--cpu needs --root DIGEST"),
        ("audit own --seed 0 --recompute 0", "--seed has no effect with --recompute 0"),
        ("show own --paper a --number P1-1", "--number and --paper do not go together"),
        (f"show {ARTEFACT} --number P1-1", f"--number is only for a study, and {ARTEFACT} is an artefact"),
        (f"show {ARTEFACT} --table a b", f"--table is only for a study, and {ARTEFACT} is an artefact"),
        ("check ./mine.py --entry pgd", "--entry is only for a study, and ./mine.py is a component"),
        ("check ./mine.py --no-run", "--no-run is only for a paper, and ./mine.py is a component"),
        ("check ./mine --trace", "--trace is only for a component, and ./mine is a paper"),
        ("check own --trace", "--trace is only for a component, and own is a study"),
        ("power own --json --markdown", "--json and --markdown do not go together"),
        ("assay a --data b --quick --full", "--quick and --full do not go together"),
        ("assay a --data b --gray --rgb", "--gray and --rgb do not go together"),
    ],
)
def test_an_option_without_an_effect_is_refused(capsys, line, message):
    assert main(line.split()) == 2

    assert f"Error: {message}" in capsys.readouterr().err
