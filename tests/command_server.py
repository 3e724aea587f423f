"""A process that has imported Snakemake and forks for each command: a plan then takes its own time, not that of the imports.

conftest.py starts one in each process of the tests. It imports nothing of touchstone: every command imports that of its folder.
"""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path


class CommandServer:
    """The server, as its client sees it."""

    def __init__(self) -> None:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self.process = subprocess.Popen([sys.executable, __file__], text=True, **pipes)
        self.folder = tempfile.TemporaryDirectory()

    def run(self, words: list[str], folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
        """Return what `python WORDS` says and ends in, in a folder; words begin with -m or -c."""
        files = [Path(self.folder.name, name) for name in ("stdout", "stderr")]
        request = {"words": words, "folder": str(folder), "environment": environment, "files": list(map(str, files))}
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        code = int(self.process.stdout.readline())
        return subprocess.CompletedProcess(words, code, *(file.read_text() for file in files))


server = cache(CommandServer)


def prepared(words: list[str], folder: str, environment: dict[str, str], files: list[str]) -> list[str]:
    """Make a forked process what Python is at the beginning of a command, and return the command."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for number, file in enumerate([os.devnull, *files]):
        os.dup2(os.open(file, os.O_RDWR if file == os.devnull else os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    sys.path[:1] = [folder, *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))]
    sys.argv = ["-c" if words[0] == "-c" else words[1], *words[2:]]
    return words


def served() -> list[str]:
    """Answer requests until there are none; return in each child with its command."""
    for line in sys.stdin:
        child = os.fork()
        if not child:
            return prepared(**json.loads(line))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
    return []


if __name__ == "__main__":
    import numpy  # noqa: F401 - the libraries that planning imports
    import snakemake.cli  # noqa: F401

    command = served()
    if command[:1] == ["-m"]:
        runpy.run_module(command[1], run_name="__main__", alter_sys=True)
    elif command:
        exec(compile(command[1], "<string>", "exec"), {"__name__": "__main__"})
