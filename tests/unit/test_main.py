"""The command line, without torch: one file per word, and mistakes that end in a message and an exit code."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from touchstone import commands
from touchstone.__main__ import COMMANDS, REMOVED, command_line, main
from touchstone.commands import list as list_command

SOURCE = Path(__file__).parents[2] / "src"


def imported_by(arguments):
    """The modules that a command has imported when it ends."""
    return imported_after(f"main({arguments!r})")


def imported_after(statement):
    """The modules that are imported after a statement about the command line."""
    code = (
        f"import sys; sys.path.insert(0, {str(SOURCE)!r}); from touchstone.__main__ import command_line, main\n"
        f"try: {statement}\n"
        "except SystemExit: pass\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


def test_each_word_that_is_typed_is_a_file_of_its_name():
    files = {path.stem for path in Path(commands.__file__).parent.glob("[a-z]*.py")}

    assert files == set(COMMANDS)


def test_a_command_imports_only_its_own_file():
    words = {name.removeprefix("touchstone.commands.") for name in imported_by(["list", "--help"])} & set(COMMANDS)

    assert words == {"list"}


def test_help_imports_no_command_and_no_numpy():
    modules = imported_by(["--help"])

    assert not {f"touchstone.commands.{word}" for word in COMMANDS} & modules
    assert "numpy" not in modules


def test_list_prints_components_with_their_settings(capsys):
    assert main(["list", "attacks"]) == 0

    out = capsys.readouterr().out
    assert re.search(r"^  pgd +Projected gradient descent \(PGD\)\.$", out, re.MULTILINE)  # the first line of its file
    assert "eps: float from 0 to 1 (default 0.1)" in out


def test_list_and_the_help_of_each_command_never_import_torch_or_scipy():
    for statement in ("main(['list'])", "command_line()"):
        assert not {"torch", "scipy"} & imported_after(statement)


def test_a_flag_before_the_word_is_answered_by_the_command(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["--cors", "2", "list"])

    assert "usage: touchstone" in capsys.readouterr().err


def test_the_whole_command_line_has_the_arguments_of_every_command():
    assert all(command.get_default("main") for command in command_line().commands.values())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["job", "0123", "--output", "x"], "0123.json: there is no such plan; jobs are started by Snakemake"),
        (["check", "digitz"], "no study called digitz"),
        (["trace", "nowhere.safetensors"], "nowhere.safetensors: there is no such file"),
        (["trace", "\x1b[2Jnowhere"], r"\x1b[2Jnowhere: there is no such file"),  # it would clear the screen
    ],
)
def test_a_mistake_ends_in_a_message_and_exit_code_1(capsys, arguments, words):
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


@pytest.mark.parametrize("word", REMOVED)
def test_a_removed_command_is_answered_with_what_replaces_it(capsys, word):
    with pytest.raises(SystemExit, match="2"):
        main([word, "digits", "--notes"])

    assert f"{word}: there is no such command any more; {REMOVED[word]}" in capsys.readouterr().err


def test_what_replaces_a_removed_command_is_no_removed_command():
    words = set(re.findall(r"touchstone (\w+)", " ".join(REMOVED.values())))

    assert words <= COMMANDS.keys()
    assert not REMOVED.keys() & COMMANDS.keys()


def test_outside_the_repository_it_says_where_to_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    assert main(["check"]) == 1

    assert "no study called digits; there are none here; run touchstone in the folder of the" in capsys.readouterr().err


@pytest.mark.parametrize("typed", ["sha256:a2edc95d", "a2" * 32, "DIGEST"])
def test_a_part_of_a_root_digest_is_a_mistake_of_the_reader_and_no_forgery(capsys, typed):
    assert main(["audit", "digits", "--root", typed]) == 1

    assert f"--root {typed}: expected a whole digest, sha256: and 64 hexadecimal digits" in capsys.readouterr().err


def test_ctrl_c_ends_a_command_with_a_line_and_exit_code_130(monkeypatch, capsys):
    def interrupted(options):
        raise KeyboardInterrupt

    monkeypatch.setattr(list_command, "main", interrupted)

    assert main(["list"]) == 130

    assert capsys.readouterr().err == "touchstone: interrupted\n"


def test_a_letter_that_the_terminal_lacks_does_not_end_a_command():
    done = subprocess.run(
        [sys.executable, "-m", "touchstone", "power", "digits"],
        cwd=SOURCE.parent,
        env=os.environ | {"PYTHONPATH": str(SOURCE), "PYTHONIOENCODING": "latin-1"},
        capture_output=True,
    )

    assert done.returncode == 0, done.stderr
    assert b"?" in done.stdout


def in_a_shell(line, *words):
    """Run a line of bash in which "$@" is `touchstone WORDS`."""
    variables = os.environ | {"PYTHONPATH": str(SOURCE), "PYTHONUNBUFFERED": ""}
    command = ["bash", "-o", "pipefail", "-c", line, "bash", sys.executable, "-m", "touchstone", *words]
    return subprocess.run(command, env=variables, capture_output=True, text=True)


@pytest.mark.parametrize("words", [["list", "attacks"], ["--help"], ["new", "attack", "a/b"], ["list", "nothing"]])
@pytest.mark.parametrize("line", ['"$@" | true', '"$@" 2>&1 | true', '"$@" >&- 2>&-'])
def test_whoever_reads_what_a_command_prints_its_exit_code_is_the_same(words, line):
    expected = in_a_shell('"$@"', *words)

    found = in_a_shell(line, *words)

    assert found.returncode == expected.returncode
    assert "Exception ignored" not in found.stderr


def test_a_message_for_a_closed_stderr_is_not_printed_on_stdout():
    found = in_a_shell('"$@" 2>&-', "show", "nothing")

    assert (found.returncode, found.stdout) == (1, "")
