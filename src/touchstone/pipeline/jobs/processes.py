"""Identify, find and end processes of this machine."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

PATIENCE = 10.0  # seconds between SIGTERM and SIGKILL
WOBBLE = 2.0  # seconds: the kernel rounds the boot time, so two readings of one start can differ by one
LOCKLESS = {"-n", "--dry-run", "--dryrun", "--unlock", "--lint", "--report"}  # a Snakemake that takes no lock


def available_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def leaving_at_sigterm() -> Iterator[None]:
    """Let SIGTERM leave a block through every `finally`, so that no job goes on and no file is left half written.

    Outside the main thread, as in a notebook's, do nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@dataclass(frozen=True)
class Process:
    """A process, distinct from any later process with the same id.

    Args:
        pid: The process id.
        start: When it started, in seconds since boot: a clock that is set back does not change it.
        command: The command line.
    """

    pid: int
    start: float
    command: tuple[str, ...]

    def is_same(self, other: Process | None) -> bool:
        """Return whether both descriptions are of one process."""
        if other is None or (self.pid, self.command) != (other.pid, other.command):
            return False
        return abs(self.start - other.start) < WOBBLE


def current(pid: int) -> Process | None:
    """Return the process with this id; None if there is none or it is a zombie."""
    try:
        process = psutil.Process(pid)
        command, start = tuple(process.cmdline()), process.create_time() - psutil.boot_time()
    except (psutil.Error, OSError):  # OSError: no /proc
        return None
    return Process(pid, round(start, 2), command) if command else None


def started(pid: int) -> Process | None:
    """Return a process that was just started, once the system has loaded it."""
    for _ in range(40):
        if process := current(pid):
            return process
        time.sleep(0.05)
    return None


def this_process() -> Process:
    """Return this process. Without /proc, `is_alive` is false for the result."""
    return current(os.getpid()) or Process(os.getpid(), 0.0, ())


def is_alive(process: Process) -> bool:
    """Return whether the process still runs."""
    return process.is_same(current(process.pid))


def has_children(process: Process) -> bool:
    """Return whether a process has started others that still run."""
    try:
        children = psutil.Process(process.pid).children()
        return any(child.status() != psutil.STATUS_ZOMBIE for child in children)
    except (psutil.Error, OSError):
        return False


def in_folder(folder: Path) -> list[Process]:
    """Return the other processes that work in this folder, oldest first."""
    path = str(folder.resolve())
    pids = [each.pid for each in psutil.process_iter(["cwd"]) if each.info["cwd"] == path and each.pid != os.getpid()]
    return sorted(filter(None, map(current, pids)), key=lambda process: process.start)


def snakemakes(folder: Path) -> list[Process]:
    """Return the Snakemakes that run jobs in a folder, oldest first."""
    running = (process for process in in_folder(folder) if _is_snakemake(process.command))
    return [process for process in running if not LOCKLESS & set(process.command)]


def _is_snakemake(command: tuple[str, ...]) -> bool:
    """Return whether a command line is `snakemake` or `python -m snakemake`."""
    module = command.index("-m") if "-m" in command else len(command)  # behind options of Python, as in python -u -m
    return any(Path(word).name == "snakemake" for word in command[:2]) or command[module + 1 : module + 2] == (
        "snakemake",
    )


def end(processes: Iterable[Process]) -> None:
    """End processes: send SIGTERM, wait PATIENCE seconds at most, send SIGKILL."""
    waiting = [process for process in processes if _signalled(process, signal.SIGTERM)]
    deadline = time.monotonic() + PATIENCE
    while (waiting := [process for process in waiting if is_alive(process)]) and time.monotonic() < deadline:
        time.sleep(0.1)
    for process in waiting:
        _signalled(process, signal.SIGKILL)


def _signalled(process: Process, number: signal.Signals) -> bool:
    """Send a signal to a process; return False if it has ended or belongs to another user."""
    if not is_alive(process):
        return False
    try:
        os.kill(process.pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True
