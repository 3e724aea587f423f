"""The command line, without torch: what is listed, and mistakes that end in words and an exit code."""

import subprocess
import sys
from pathlib import Path

import pytest

from touchstone.__main__ import main


def test_list_prints_components_with_their_settings(capsys):
    assert main(["list", "attacks"]) == 0

    told = capsys.readouterr().out
    assert "pgd" in told
    assert "eps: float from 0 to 1 (default 0.1)" in told


def test_list_never_imports_torch():
    source = Path(__file__).parents[2] / "src"
    code = f"import sys; sys.path.insert(0, {str(source)!r}); from touchstone.__main__ import main; main(['list']); sys.exit('torch' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["job", "trian", "trained=cnn.0"], "no rule trian. Did you mean train?"),
        (["job", "train", "net=cnn.0"], "the rule train takes trained"),
        (["check", "digitz"], "no study called digitz"),
        (["trace", "nowhere.safetensors"], "nowhere.safetensors.prov.json: missing"),
        (["trace", "\x1b[2Jnowhere"], r"\x1b[2Jnowhere.prov.json: missing"),  # it would clear the screen
    ],
)
def test_a_mistake_ends_in_words_and_exit_code_1(capsys, arguments, words):
    assert main(arguments) == 1

    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["asay", "model.pt2"], "asay: not one of run, assay,"),
        (["asay", "model.pt2"], "Did you mean assay?"),
        (["new", "detectr", "mine"], "Did you mean detector?"),
        (["run", "tiny", "--cors", "2"], "unknown: --cors 2. Did you mean --cores?"),
        (["run", "tiny", "--cores", "two"], "two: expected a number of cores, 1 or more, or all"),
    ],
)
def test_a_wrong_word_is_answered_with_the_nearest_and_exit_code_2(capsys, arguments, words):
    with pytest.raises(SystemExit, match="2"):
        main(arguments)

    assert words in capsys.readouterr().err


def test_outside_the_repository_it_says_where_to_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    assert main(["check"]) == 1

    assert "params.yaml: no such file here" in capsys.readouterr().err
