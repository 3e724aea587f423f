"""The run lock of a folder, and the removal of stale locks.

Two locks prevent concurrent runs:

- `.touchstone/run.lock`, which `touchstone run` acquires (filelock). It is an flock, which the kernel releases whenever
  its process ends. So it is never stale, and the remaining file means nothing. On NFS the server releases it when the
  lease of a dead client expires. On a file system without flock, filelock uses a soft lock: a marker with process id and
  host. The next run on that host removes the marker of a dead process. On another host a person has to delete it.
- `.snakemake/locks/`, which Snakemake leaves behind when it is killed. `remove_stale` deletes these files. It is called
  only under the run lock, after `claimed` has checked that no Snakemake runs in this folder on this host. A Snakemake
  that a person started on another host cannot be detected. Nor can that of another user, whose locks are kept.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from touchstone.pipeline.jobs import processes
from touchstone.pipeline.jobs.processes import Process
from touchstone.provenance import whole_files

LOCK = Path(".touchstone/run.lock")
HOLDER = Path(".touchstone/run.json")  # the current or last holder of the lock, and its Snakemake
IDLE = 30.0  # seconds without a job after which the Snakemake of a killed run is taken to hang
SNAKEMAKE_LOCKS = Path(".snakemake/locks")


class Busy(Exception):
    """Another run is active in this folder."""


class Claim:
    """The exclusive right to run in a folder, for the duration of a block of `claimed`."""

    def __init__(self) -> None:
        self._write(None)

    def name_snakemake(self, pid: int) -> None:
        """Record this run's Snakemake, so that the next run can recognise it."""
        self._write(processes.started(pid))

    def _write(self, snakemake: Process | None) -> None:
        facts: dict[str, Any] = {"host": socket.gethostname(), "pid": os.getpid(), "snakemake": None}
        if snakemake:
            facts["snakemake"] = [snakemake.pid, snakemake.start, snakemake.command]
        whole_files.write_whole(HOLDER, json.dumps(facts).encode(), lasting=False)


def report_busy(error: Busy) -> int:
    """Print that another run is active in this folder; return the exit code."""
    print(f"touchstone: {error}; wait until it ends, or end it, then rerun", file=sys.stderr)
    return 3


@contextmanager
def claimed() -> Iterator[Claim]:
    """Hold the run lock of this folder inside the block.

    If the last `touchstone run` was killed and its Snakemake is still running, wait for it; if it hangs, end it.

    Raises:
        Busy: Another run holds the lock, or a person started Snakemake in this folder.
    """
    with _lock():
        last = _last_snakemake()
        for process in processes.snakemakes(Path()):
            if not process.is_same(last):
                command = " ".join(process.command)
                raise Busy(f"Snakemake is running in this folder (process {process.pid}: {command})")
            _wait_for(process)
        yield Claim()


def check_free() -> None:
    """Raise Busy if another run is active in this folder.

    A long preparation calls this first, so that it does not end in a refusal.
    """
    if LOCK.is_file():
        with _lock():
            pass


def remove_stale() -> bool:
    """Delete the locks of a killed Snakemake; return whether there were any.

    Call it only inside `claimed`.

    Raises:
        Busy: A lock belongs to another user, whose processes do not show in which folder they run.
    """
    stale = list(SNAKEMAKE_LOCKS.glob("*"))
    for lock in stale:
        if (owner := lock.stat().st_uid) != os.getuid():
            reason = f"{lock} belongs to the user {owner}, whose Snakemake may be running in this folder"
            raise Busy(f"{reason} (if there is none, delete the file)")
    for lock in stale:
        lock.unlink(missing_ok=True)
    return bool(stale)


@contextmanager
def _lock() -> Iterator[None]:
    LOCK.parent.mkdir(exist_ok=True)
    lock = FileLock(LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise Busy(f"another run is active in this folder (process {_holder().get('pid', '?')})") from None
    try:
        yield
    finally:
        lock.release()


def _holder() -> dict[str, Any]:
    """Return the lock's current or last holder; empty if unknown."""
    try:
        holder = json.loads(HOLDER.read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return holder if isinstance(holder, dict) else {}


def _last_snakemake() -> Process | None:
    """Return the Snakemake of the last run, if that was on this host."""
    holder = _holder()
    if holder.get("host") != socket.gethostname() or not holder.get("snakemake"):
        return None
    pid, start, command = holder["snakemake"]
    return Process(pid, start, tuple(command))


def _wait_for(snakemake: Process) -> None:
    """Wait until the Snakemake of a killed run has ended; end it once it has had no job for IDLE seconds."""
    message = (
        f"the last run was killed, but its Snakemake (process {snakemake.pid}) is still running; waiting for it to end."
        f" To end it now: kill -9 {snakemake.pid}"
    )
    print(f"touchstone: {message}", file=sys.stderr, flush=True)
    deadline = time.monotonic() + IDLE
    while processes.is_alive(snakemake):
        if processes.has_children(snakemake):
            deadline = time.monotonic() + IDLE
        elif time.monotonic() > deadline:
            print(f"touchstone: it has had no job for {IDLE:.0f} seconds; ending it", file=sys.stderr, flush=True)
            processes.end([snakemake])
            return
        time.sleep(0.3)
