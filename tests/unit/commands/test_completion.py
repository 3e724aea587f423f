"""Completion in a real shell, and help that fits a screen."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from touchstone.__main__ import command_line, main
from touchstone.commands import completion

ROOT = Path(__file__).parents[3]
SCREEN = 40


def completed(tmp_path, *words, folder=ROOT):
    """What bash offers for the last of the words."""
    script = tmp_path / "completion.bash"
    script.write_text(completion.completion(command_line(), "bash"))
    typed = " ".join(f"'{word}'" for word in ("touchstone", *words))
    command = (
        f"source {script}; complete -p touchstone >/dev/null || exit 9; COMP_WORDS=({typed}); COMP_CWORD={len(words)};"
        " f=$(complete -p touchstone | sed -E 's/.*-F ([^ ]+).*/\\1/');"
        ' $f touchstone "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("ass",), {"assay"}),
        (("run", "ti"), {"tiny"}),
        (("compare", "dig"), {"digits"}),
        (("list", "det"), {"detectors"}),
        (("assay", "--qu"), {"--quick"}),
        (("contract", "param"), {"params.yaml"}),
        (("new", "attack", "param"), set()),
        (("dvc", "param"), set()),
        (("dvc", "ti"), {"tiny"}),
        (("completion", "z"), {"zsh"}),
        (("new", "p"), {"paper"}),
        (("papers", "al"), {"aloe"}),
        (("check", "ti"), {"tiny"}),
        (("check", "tra"), {"translation"}),
        (("check", "./doc"), {"./docs"}),
    ],
)
def test_bash_completes_commands_flags_studies_papers_kinds_and_files(tmp_path, words, offered):
    assert completed(tmp_path, *words) == offered


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
def test_the_name_of_a_file_among_the_studies_is_never_run(tmp_path):
    studies = tmp_path / "workflow/studies"
    studies.mkdir(parents=True)
    for name in ("tidy", "t$(touch made)", "t`touch made`", "t;touch made", "t y", "t*"):
        (studies / f"{name}.yaml").touch()

    assert completed(tmp_path, "run", "t", folder=tmp_path) == {"tidy"}
    assert not (tmp_path / "made").exists()


def test_the_command_prints_a_script_for_either_shell(capsys):
    for shell, sign in (("bash", "complete -o"), ("zsh", "#compdef touchstone")):
        assert main(["completion", shell]) == 0

        script = capsys.readouterr().out
        assert sign in script and "_touchstone_studies()" in script and "assay" in script


@pytest.mark.skipif(shutil.which("zsh") is None, reason="no zsh here")
def test_zsh_takes_the_script(tmp_path):
    (tmp_path / "_touchstone").write_text(completion.completion(command_line(), "zsh"))

    done = subprocess.run(["zsh", "-n", tmp_path / "_touchstone"], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", ["", *command_line().commands])
def test_help_fits_a_screen(name, monkeypatch):
    monkeypatch.setitem(os.environ, "COLUMNS", "80")
    text = (command_line().commands[name] if name else command_line()).format_help()

    assert len(text.splitlines()) <= SCREEN


def test_help_names_every_argument_that_must_be_given(monkeypatch):
    monkeypatch.setitem(os.environ, "COLUMNS", "80")

    for name, command in command_line().commands.items():
        usage = command.format_usage()
        for needed in (action for action in command._actions if action.required):
            named = needed.option_strings or needed.choices or [needed.metavar or needed.dest]
            assert next(iter(named)).lower() in usage.lower(), (name, needed.dest)
