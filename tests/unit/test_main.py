"""The command line, without torch: one file per word, and mistakes that end in a message and an exit code."""

import csv
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

import touchstone
from touchstone import commands
from touchstone.__main__ import COMMANDS, GROUPS, HIDDEN, REMOVED, command_line, main
from touchstone.commands import list as list_command
from typed_words import parsed

SOURCE = Path(__file__).parents[2] / "src"


def imported_by(arguments):
    """The modules that a command has imported when it ends."""
    return imported_after(f"main({arguments!r})")


def imported_after(statement):
    """The modules that are imported after a statement about the command line."""
    code = (
        f"import sys; sys.path.insert(0, {str(SOURCE)!r}); from touchstone.__main__ import main\n"
        f"{statement}\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


def test_each_word_that_is_typed_is_a_file_of_its_name():
    files = {path.stem for path in Path(commands.__file__).parent.glob("[a-z]*.py")}

    assert files == {*COMMANDS, *HIDDEN}


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
    every_help = "; ".join(f"main([{word!r}, '--help'])" for word in (*COMMANDS, *HIDDEN))
    for statement in ("main(['list'])", every_help):
        assert not {"torch", "scipy"} & imported_after(statement)


def test_a_job_imports_neither_yaml_nor_argparse_nor_numpy():
    assert not {"yaml", "argparse", "numpy"} & imported_by(["job", "--help"])


def test_a_flag_before_the_word_is_refused(capsys):
    assert main(["--cors", "2", "list"]) == 2

    assert capsys.readouterr().err.startswith("Usage: touchstone [OPTIONS] COMMAND [ARGS]...\n")


def test_the_version_is_printed_with_the_name_under_which_it_is_installed(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"touchstone-robustness {touchstone.__version__}\n"


def test_help_names_every_command_once_under_its_heading_with_an_example(capsys):
    assert main(["--help"]) == 0

    out = capsys.readouterr().out
    assert [line.split()[0] for line in out.splitlines() if line.startswith("  ") and line.split()[0] in COMMANDS] == [
        *COMMANDS
    ]
    for heading, (example, words) in GROUPS.items():
        assert f"{heading}, as in `{example}`:\n  {next(iter(words))} " in out
        parsed(*shlex.split(example)[1:])
    assert "job" not in out.split()


@pytest.mark.parametrize("word", [*COMMANDS, *HIDDEN])
def test_the_help_of_a_command_has_examples_that_it_takes(word):
    context = click.Context(command_line)
    text = command_line.get_command(context, word).get_help(click.Context(command_line, terminal_width=200))

    examples = text.partition("Examples:\n")[2].partition("\n\n")[0].splitlines()
    assert examples
    for example in examples:
        program, *words = shlex.split(example)
        assert (program, words[0]) == ("touchstone", word)
        if word != "job":
            parsed(*words)


@pytest.mark.parametrize("word", COMMANDS)
@pytest.mark.parametrize("width", [80, 120])
def test_no_line_of_a_help_is_wider_than_the_terminal(word, width, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", str(width))

    assert main([word, "--help"]) == 0

    assert max(map(len, capsys.readouterr().out.splitlines())) <= width


def test_no_command_at_all_is_answered_with_the_help(capsys):
    assert main([]) == 2

    assert "Run a study, as in `touchstone run digits`:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "values"),
    [
        ("--claims A B", ("A", "B")),
        ("--claims A --claims B", ("A", "B")),
        ("--claims=A --claims B -o C", ("A", "B")),
        ("-o C --claims A B --rocrate", ("A", "B")),
        ("--claims A -- digits", ("A",)),
    ],
)
def test_an_option_of_several_values_takes_them_after_one_flag_or_after_several(words, values):
    assert parsed("pack", *words.split()).params["claims"] == values


def test_an_option_of_several_values_needs_one(capsys):
    assert main(["pack", "digits", "--claims"]) == 2

    assert "Option '--claims' requires an argument." in capsys.readouterr().err


@pytest.mark.parametrize(("words", "inputs"), [("--input", ()), ("--input a b/c", ("a", "b/c")), ("", ())])
def test_a_job_takes_the_words_of_its_rule(words, inputs):
    params = parsed("job", "0123", *words.split(), "--output", "x", "y", "--threads", "2").params

    assert tuple(filter(None, params["inputs"])) == inputs
    assert (params["outputs"], params["threads"]) == (("x", "y"), 2)


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
        (["asay", "model.pt2"], "No such command 'asay'. Did you mean 'assay'?"),
        (["new", "detectr", "mine"], "'detectr' is not one of 'detector', 'attack', 'paper'. Did you mean detector?"),
        (["new"], "Missing argument 'KIND'. Choose from detector, attack, paper."),
        (["list", "atacks"], "Did you mean attacks?"),
        (["run", "tiny", "--cors", "2"], "No such option '--cors'. Did you mean '--cores'?"),
        (["run", "tiny", "--cores", "two"], "'two' is neither all nor a number of cores, 1 or more."),
        (["run", "tiny", "digits"], "Got unexpected extra argument (digits)"),
        (["verify"], "Missing argument 'FILE'."),
        (["verify", "e", "--share", "nan"], "'nan' is no share above 0 and at most 1."),
        (["trace", "e", "--depth", "x"], "'x' is not a valid whole number."),
        (["show", "--table", "a"], "Option '--table' requires 2 arguments."),
        (["trace", "e", "--depth", "-1"], "-1 is not in the range x>=0."),
        (["\x1b[2J"], r"No such command '\x1b[2J'."),  # it would clear the screen
    ],
)
def test_a_wrong_word_is_answered_with_the_nearest_and_exit_code_2(capsys, arguments, words):
    assert main(arguments) == 2

    assert "--help' for help.\n\nError: " in (err := capsys.readouterr().err)
    assert words in err


@pytest.mark.parametrize("word", REMOVED)
def test_a_removed_command_is_answered_with_what_replaces_it(capsys, word):
    assert main([word, "digits", "--notes"]) == 2

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
    def interrupted(kind):
        raise KeyboardInterrupt

    monkeypatch.setattr(list_command.main, "callback", interrupted)

    assert main(["list"]) == 130

    assert capsys.readouterr().err == "touchstone: interrupted\n"


def test_a_letter_that_the_terminal_lacks_does_not_end_a_command():
    table = SOURCE.parent / "reports/digits/claims.csv"
    with table.open(newline="") as stream:  # a number that has to be ≥ its bound
        claim = next(line["claim"] for line in csv.DictReader(stream) if "≥" in line["note"])
    done = subprocess.run(
        [sys.executable, "-m", "touchstone", "show", "digits", "--number", claim],
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
