"""Commands of Python in forks of a process that has torch and pytest: they take their own time, not that of the imports."""

from __future__ import annotations

import os
import signal
import subprocess
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
