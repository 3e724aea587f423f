"""Commands of Python in forks of a process that has torch and pytest: they take their own time, not that of the imports."""

from __future__ import annotations

import atexit
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from command_server import CommandServer
from touchstone.pipeline.jobs import environment, warm

VARIABLES = environment.environment(1)  # those of a job
MODULES = ("pytest", "hypothesis", *warm.PACKAGES)


@cache
def server() -> CommandServer:
    return CommandServer(MODULES, os.environ | VARIABLES)


def variables(given: Mapping[str, str]) -> dict[str, str]:
    """Return these variables as a job has them. Others that scikit-learn, say, has set here would start the job again."""
    return {name: value for name, value in given.items() if not environment.CHANGES_JOBS.fullmatch(name)} | VARIABLES


@cache
def shared_process() -> dict[str, str]:
    """Start the process whose forks jobs share; return the variables by which a run of a study finds it."""
    folder, here = tempfile.TemporaryDirectory(), Path(__file__).parent
    path = f"{folder.name}/socket"
    command = [sys.executable, str(here / "warm_server.py"), path, *warm.PACKAGES]
    started = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | VARIABLES
    )
    assert started.stdin is not None and started.stdout is not None
    assert started.stdout.readline() == "listens\n"

    def close() -> None:
        """End it, and wait for it: its time then counts as that of the tests."""
        started.stdin.close()  # type: ignore[union-attr]
        started.wait()
        folder.cleanup()

    atexit.register(close)
    return {"TOUCHSTONE_TESTS_FORKS": json.dumps([path, VARIABLES]), "PYTHONPATH": str(here / "warm_forks")}


def in_fork(command: list[str], **options: Any) -> subprocess.CompletedProcess[Any]:
    """Do as subprocess.run does with `python -m ...`, with the variables of a job, in a fork that has torch and pytest.

    Only whole seconds of a time-out count.
    """
    words = command[2:] if command[1] == "-P" else command[1:]
    own = variables(options.get("env") or os.environ)
    done = server().run(words, options.get("cwd") or Path.cwd(), own, options.get("timeout") or 0)
    if options.get("timeout") and done.returncode == -signal.SIGALRM:
        raise subprocess.TimeoutExpired(command, options["timeout"])
    if not options.get("text"):
        done.stdout, done.stderr = done.stdout.encode(), done.stderr.encode()
    return done
