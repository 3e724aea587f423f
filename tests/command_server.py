"""A process that has imported libraries and forks for each command: a command then takes its own time, not that of the imports.

conftest.py starts one in each process of the tests. It imports nothing of touchstone: every command imports that of its folder.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NoReturn

# What a run of Snakemake imports, also that which it imports late.
SNAKEMAKE = (
    "numpy.ma", "numpy.random", "pandas", "safetensors.numpy", "smart_open", "snakemake.cli", "snakemake.profiles",
    "snakemake.report.html_reporter", "snakemake.storage", "yaml",
)  # fmt: skip

# What DVC imports for the commands of our tests.
DVC = (
    "dvc.cli.parser", "dvc.repo.artifacts", "dvc.repo.brancher", "dvc.repo.experiments.run", "dvc.repo.worktree",
    "dvc_data.index.checkout", "dvc_data.index.push", "networkx", "numpy", "yaml",
)  # fmt: skip


class CommandServer:
    """The server, as its client sees it."""

    def __init__(self, modules: tuple[str, ...] = SNAKEMAKE, environment: Mapping[str, str] = os.environ) -> None:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self.process = subprocess.Popen([sys.executable, __file__, *modules], text=True, env=environment, **pipes)
        self.folder = tempfile.TemporaryDirectory()
        atexit.register(self.close)

    def close(self) -> None:
        """End the server, and wait for it: its time then counts as that of the tests."""
        self.process.stdin.close()
        self.process.wait()

    def run(
        self, words: list[str], folder: Path, environment: dict[str, str], seconds: int = 0
    ) -> subprocess.CompletedProcess[str]:
        """Return what `python WORDS` says and ends in, in a folder; words begin with -m or -c.

        After `seconds`, SIGALRM ends it; 0 is no limit.
        """
        files = [Path(self.folder.name, name) for name in ("stdout", "stderr")]
        request = {"words": words, "folder": str(folder), "environment": environment, "files": list(map(str, files))}
        request["seconds"] = seconds
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        code = int(self.process.stdout.readline())
        return subprocess.CompletedProcess(words, code, *(file.read_text() for file in files))


server = cache(CommandServer)


@cache
def dvc_server() -> CommandServer:
    """The server for commands of DVC, and for those of touchstone that import it."""
    return CommandServer(DVC)


def prepared(words: list[str], folder: str, environment: dict[str, str], files: list[str], seconds: int) -> list[str]:
    """Make a forked process what Python is at the beginning of a command, and return the command."""
    signal.alarm(seconds)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for number, file in enumerate([os.devnull, *files]):
        os.dup2(os.open(file, os.O_RDWR if file == os.devnull else os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    sys.path[:1] = [folder, *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))]
    sys.argv = ["-c" if words[0] == "-c" else words[1], *words[2:]]
    sys.orig_argv = [sys.executable, *words]
    return words


def served() -> list[str]:
    """Answer requests until there are none; return in each child with its command."""
    for line in sys.stdin:
        child = os.fork()
        if not child:
            return prepared(**json.loads(line))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
    return []


def done(command: list[str]) -> NoReturn:
    """Do a command and end as Python does, but without the 0.4 s that torch takes to free what it holds."""
    code = 0
    try:
        if command[0] == "-m":
            runpy.run_module(command[1], run_name="__main__", alter_sys=True)
        else:
            exec(compile(command[1], "<string>", "exec"), {"__name__": "__main__"})
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        code = int(end.code or 0) if not isinstance(end.code, str) else 1
    except BaseException:  # noqa: BLE001
        traceback.print_exc()
        code = 1
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        importlib.import_module(name)
    gc.freeze()  # the children need not look through these objects

    if command := served():
        done(command)
    os._exit(0)
