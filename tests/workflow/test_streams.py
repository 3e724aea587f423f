"""Where the output of a run goes changes nothing in what it does: a file, a pipe, a terminal, nowhere."""

import shutil
import subprocess
import sys

import pytest

# `python -c AT_A_TERMINAL COLUMNS COMMAND...` runs a command at a terminal of this width.
AT_A_TERMINAL = """
import fcntl, os, pty, struct, sys, termios
child, terminal = pty.fork()
if not child:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("4H", 24, int(sys.argv[1]), 0, 0))
    os.execvp(sys.argv[2], sys.argv[2:])
try:
    while data := os.read(terminal, 9999):
        os.write(1, data)
except OSError:  # the command has closed the terminal
    pass
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
INTO_A_SOCKET = """
import socket, subprocess, sys
ours, theirs = socket.socketpair()
with theirs:
    process = subprocess.Popen(sys.argv[1:], stdout=theirs, stderr=theirs)
while data := ours.recv(9999):
    sys.stdout.buffer.write(data)
sys.exit(process.wait())
"""
ASCII = "LC_ALL=C PYTHONUTF8=0 PYTHONCOERCECLOCALE=0 PYTHONIOENCODING=ascii"
# Of bash, in which "$@" is the command. A plain file and a plain pipe are in those of nohup, of a service and of an ASCII locale.
LINES = {
    "a pipe whose reader is gone": '"$@" 2>out | true',
    "a narrow terminal": f'{sys.executable} -c "$terminal" 1 env TERM=dumb "$@" </dev/null >out',
    "a socket": f'{sys.executable} -c "$socket" "$@" >out',
    "closed stdout": '"$@" 2>&1 >&- | cat >out',
    "closed stderr": '"$@" 2>&- | cat >out',
    "all closed": '"$@" <&- >&- 2>&-',
    "a pipe in an ASCII locale": f'{ASCII} "$@" 2>&1 | cat >out',
    "a log of nohup": 'nohup "$@" >out 2>&1 </dev/null',
    "a pipe of a service": 'unset TERM HOME LANG; setsid -w "$@" 2>&1 </dev/null | cat >out',
}


@pytest.fixture(scope="module")
def fetched(few, tmp_path_factory):
    """A copy of a clone in which a study was run."""
    return few.copy(tmp_path_factory.mktemp("streams") / "a clone")


@pytest.fixture(scope="module")
def do(fetched):
    """A function that runs a command in the clone by a line of bash, once the study's files are gone."""

    def do(line, command, *gone):
        for folder in gone:
            shutil.rmtree(fetched.root / folder, ignore_errors=True)
        scripts = {"terminal": AT_A_TERMINAL, "socket": INTO_A_SOCKET}
        variables = fetched.variables() | scripts | {"PYTHONUNBUFFERED": ""}
        words = ["bash", "-o", "pipefail", "-c", line, "bash", *command]
        done = subprocess.run(words, cwd=fetched.root, env=variables, capture_output=True, text=True)
        out = fetched.root / "out"
        said = done.stdout + done.stderr + (out.read_text(errors="replace") if out.exists() else "")
        return done.returncode, said[-3000:]

    return do


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_plain_snakemake_runs_jobs_whatever_its_streams_are(do, fetched, line):
    snakemake = [sys.executable, "-m", "snakemake", "--cores", "1", "--until", "prepare", "--config", "study=few"]

    code, said = do(line, snakemake, "results/few", "data/few")

    assert code == 0, said
    assert (fetched.root / "results/few/prepare/few/examples/digits_test.safetensors").is_file()


@pytest.mark.parametrize(
    "streams", ["a pipe whose reader is gone", "a narrow terminal", "all closed", "a pipe in an ASCII locale"]
)
def test_touchstone_run_runs_jobs_whatever_its_streams_are(do, fetched, streams):
    code, said = do(LINES[streams], fetched.touchstone("run", "few", "--cores", "1"), "reports/few")

    assert code == 0, said
    assert (fetched.root / "reports/few/ROOT").is_file()
