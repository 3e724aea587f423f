"""Processes of this machine as Linux shows them under /proc: which is which, which still live, and how to end them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
PATIENCE = 10.0  # seconds between asking a process to end and ending it
DRY = {"-n", "--dry-run", "--dryrun", "--unlock", "--lint", "--report"}  # a Snakemake that takes no lock


@dataclass(frozen=True)
class Process:
    """One process. Its start counts clock ticks since boot, so that no clock that is set back makes it another's."""

    pid: int
    start: int
    command: tuple[str, ...]


def seen(pid: int) -> Process | None:
    """Return the process that has the id now; None where it ended, also where nobody has asked yet how."""
    try:
        command = (PROC / str(pid) / "cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
        after_name = (PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
    return Process(pid, int(after_name[19]), tuple(command)) if command else None


def started(pid: int) -> Process | None:
    """Return a process that was just started; it has no command line until the system has loaded it."""
    for _ in range(40):
        if found := seen(pid):
            return found
        time.sleep(0.05)
    return None


def own() -> Process:
    """Return this process; without /proc, one that is never found again."""
    return seen(os.getpid()) or Process(os.getpid(), 0, ())


def lives(process: Process) -> bool:
    """Return whether it still runs: the same id, start and command line."""
    return seen(process.pid) == process


def snakemakes(folder: Path) -> list[Process]:
    """Return the Snakemakes that work in a folder, dry runs apart."""
    found = []
    for path in PROC.glob("[0-9]*"):
        try:
            inside = (path / "cwd").readlink() == folder.resolve()
        except OSError:  # it ended meanwhile, or is another user's
            continue
        process = seen(int(path.name)) if inside and int(path.name) != os.getpid() else None
        if process and _is_snakemake(process.command) and not DRY & set(process.command):
            found.append(process)
    return sorted(found, key=lambda process: process.start)


def _is_snakemake(command: tuple[str, ...]) -> bool:
    """Return whether a command line is that of Snakemake: its script, or `python -m snakemake`."""
    words = command[:3]
    return any(Path(word).name == "snakemake" for word in words[:2]) or words[1:] == ("-m", "snakemake")


def end(processes: Iterable[Process]) -> None:
    """End processes: ask, wait, insist. One that is no longer the same is left alone."""
    waiting = [process for process in processes if _signalled(process, signal.SIGTERM)]
    last = time.monotonic() + PATIENCE
    while (waiting := [process for process in waiting if lives(process)]) and time.monotonic() < last:
        time.sleep(0.1)
    for process in waiting:
        _signalled(process, signal.SIGKILL)


def _signalled(process: Process, number: signal.Signals) -> bool:
    if not lives(process):
        return False
    try:
        os.kill(process.pid, number)
    except ProcessLookupError:
        return False
    return True
