"""Shells complete commands, options, studies, papers and claims."""

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from touchstone.__main__ import COMMANDS, COMPLETE, command_line

SOURCE = Path(__file__).parents[2] / "src"


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    """A project with two studies of which one has a report."""
    studies, report = tmp_path / "workflow/studies", tmp_path / "reports/tiny"
    studies.mkdir(parents=True)
    report.mkdir(parents=True)
    for name in ("tiny", "timid", "new\nline"):
        (studies / f"{name}.yaml").touch()
    (report / "claims.csv").write_text("claim,paper\nS1-1,A\nS1-2,B\nP0-1,A\n")
    monkeypatch.chdir(tmp_path)


def completed(line):
    """The words that the last word of a line may become, or the kind of files that it may name."""
    *words, incomplete = line.split(" ")
    items = ShellComplete(command_line, {}, "touchstone", COMPLETE).get_completions(words, incomplete)
    return [item.value if item.type == "plain" else item.type for item in items]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", [*COMMANDS]),
        ("co", ["compare"]),
        ("--", ["--version", "--help"]),
        ("run ", ["timid", "tiny"]),
        ("run --pr", ["--prune"]),
        ("audit --no", ["--no-render"]),
        ("show tin", ["tiny"]),
        ("show ./other/", ["file"]),
        ("show tiny --number S", ["S1-1", "S1-2"]),
        ("pack tiny --claims P", ["P0-1"]),
        ("trace tiny --number S1-2", ["S1-2"]),
        ("show --paper al", ["aloe"]),
        ("show timid --number ", []),
        ("list at", ["attacks"]),
        ("new d", ["detector"]),
        ("assay model.pt2 --data ", ["file"]),
        ("verify a.pack --device ", ["cpu", "cuda"]),
        ("verify a.pack --raw ", ["dir"]),
        ("nothing --o", []),
    ],
)
def test_a_word_becomes_what_may_stand_there(line, words):
    assert completed(line) == words


@pytest.mark.parametrize("content", [b"", b"paper\nA\n", b"\xff\xfe", b'claim\n"S1-1\x1b[2J"\n"S1\n-1"\n'])
def test_a_damaged_report_completes_nothing(content):
    Path("reports/tiny/claims.csv").write_bytes(content)

    assert completed("show tiny --number ") == []


@pytest.fixture
def environment(tmp_path):
    """The environment of a shell in which `touchstone` is this touchstone."""
    program = tmp_path / "bin/touchstone"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m touchstone "$@"\n')
    program.chmod(0o755)
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    return os.environ | {"PATH": path, "PYTHONPATH": str(SOURCE), "TERM": "dumb", "HOME": str(tmp_path)}


def test_bash_completes_after_the_line_of_the_documents(environment):
    lines = f"""
    eval "$({COMPLETE}=bash_source touchstone)"
    complete -p touchstone
    COMP_WORDS=(touchstone run ti) COMP_CWORD=2
    _touchstone_completion touchstone
    echo "${{COMPREPLY[@]}}"
    """

    done = subprocess.run(["bash", "-c", lines], env=environment, capture_output=True, text=True, check=True)

    assert done.stdout.splitlines() == [
        "complete -o nosort -F _touchstone_completion touchstone",
        "timid tiny",
    ]


@pytest.mark.skipif(shutil.which("zsh") is None, reason="there is no zsh")
def test_zsh_completes_after_the_line_of_the_documents(environment):
    line = f'autoload -Uz compinit; compinit -u -D; eval "$({COMPLETE}=zsh_source touchstone)"; echo re""ady\n'
    shell, terminal = pty.fork()
    if not shell:
        os.execvpe("zsh", ["zsh", "-f", "-i"], environment)
    try:
        typed(terminal, line, "ready")
        assert typed(terminal, "touchstone list att\t", "attacks").endswith("touchstone list attacks")
    finally:
        os.close(terminal)
        os.waitpid(shell, 0)


def typed(terminal, text, expected):
    """What a terminal shows after a text was typed, until something expected is there; for at most 30 seconds."""
    os.write(terminal, text.encode())
    shown, end = "", time.monotonic() + 30
    while expected not in shown and time.monotonic() < end:
        if select.select([terminal], [], [], 0.1)[0]:
            shown += re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|[\x07\r]", "", os.read(terminal, 4096).decode())
    assert expected in shown, shown
    return shown.strip()
