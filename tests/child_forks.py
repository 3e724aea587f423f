"""Commands `python -m ...` that a command in a fork starts: they are forks of it, since it has imported their libraries.

So a run of Snakemake does not import torch again for its warm process, nor `touchstone run` Snakemake. Such a fork becomes
what Python is at the beginning of a command: its modules of touchstone, variables, streams and handlers are new.
"""

from __future__ import annotations

import atexit
import gc
import itertools
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

PATH = list(sys.path)
STARTED = ("snakemake", "touchstone.pipeline.jobs.warm_server")
OWN = ("touchstone", "snakemake_logger_plugin_touchstone")


def install(do: Callable[[list[str]], NoReturn]) -> None:
    """Have subprocess.Popen fork for `python -m MODULE` of these modules; `do` does a command in the fork and ends it."""

    class Popen(subprocess.Popen):  # type: ignore[type-arg]
        def _execute_child(self, args: Any, *options: Any) -> None:
            if not isinstance(args, list) or args[:2] != [sys.executable, "-m"] or args[2] not in STARTED:
                super()._execute_child(args, *options)  # type: ignore[misc]
                return
            _, preexec, _, files, folder, environment, _, _, _, *pipes = options
            assert not preexec and not folder
            sys.stdout.flush()
            sys.stderr.flush()
            self.pid = os.fork()
            if not self.pid:
                if pipes[-2]:  # start_new_session
                    os.setsid()
                become(args, dict(environment or os.environ), files, (pipes[0], pipes[3], pipes[5]))
                do(args[1:])
            self._child_created = True
            self._close_pipe_fds(*pipes[:6])  # type: ignore[attr-defined]

    subprocess.Popen = Popen  # type: ignore[misc]


def become(args: list[str], environment: dict[str, str], files: Sequence[int], streams: Sequence[int]) -> None:
    """Make this fork what Python is at the beginning of a command; only `files` and its streams stay open."""
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    atexit._clear()
    gc.freeze()  # nothing of the parent is freed here: its files would be closed twice
    gc.enable()
    for stream, copy in [(stream, os.dup(file)) for stream, file in enumerate(streams) if file != -1]:
        os.dup2(copy, stream)
    edges = [2, *sorted(files), resource.getrlimit(resource.RLIMIT_NOFILE)[0]]
    for low, high in itertools.pairwise(edges):
        os.closerange(low + 1, high)
    for file in files:
        os.set_inheritable(file, True)
    for name in [name for name in sys.modules if name.partition(".")[0] in OWN]:
        del sys.modules[name]
    os.environ.clear()
    os.environ.update(environment)
    sys.path[:] = [os.getcwd(), *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep)), *PATH[1:]]  # noqa: PTH109
    sys.argv, sys.orig_argv = args[2:], args
