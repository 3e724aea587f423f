"""What `touchstone run` settles before Snakemake starts: may it run here, and what did a killed run leave behind."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from touchstone.pipeline.jobs import processes, run_records
from touchstone.pipeline.jobs.processes import Process
from touchstone.pipeline.planning.plan import Plan

CLAIM = Path(".touchstone/run.lock")
SNAKEMAKE_LOCKS = Path(".snakemake/locks")
# What `provenance.write_whole`, the step `fetch` and the action cache call a file before it is whole.
HALF_WRITTEN = re.compile(r"\..+\.([a-z0-9_]{8}|linked)")


class Busy(Exception):
    """Another run works in this folder."""


class Claim:
    """The right to run in a folder, as long as this process lives; tells which Snakemake belongs to it."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def names(self, snakemake: int) -> None:
        """Write down the Snakemake that this run started, so that a later one knows it if this one is killed."""
        process = processes.started(snakemake)
        self._stream.seek(0)
        self._stream.truncate()
        json.dump({"pid": os.getpid(), "snakemake": [process.pid, process.start] if process else []}, self._stream)
        self._stream.flush()


@contextmanager
def claimed() -> Iterator[Claim]:
    """Yield the one claim on this folder. Busy where another run has it, or a Snakemake that was typed by hand works here.

    A Snakemake whose `touchstone run` was killed is waited for. The kernel ends a claim with its process, however that ends.
    """
    CLAIM.parent.mkdir(exist_ok=True)
    with CLAIM.open("a+") as stream:
        stream.seek(0)
        left = _left(stream.read())
        _lock(stream, left)
        for process in processes.snakemakes(Path()):
            if left.get("snakemake") != [process.pid, process.start]:
                raise Busy(f"a Snakemake works in this folder (process {process.pid}: {' '.join(process.command)})")
            _wait_for(process)
        yield Claim(stream)


def check_free() -> None:
    """Raise Busy where another run works in this folder now, before something long is done that only a run needs."""
    if not CLAIM.is_file():
        return
    with CLAIM.open("a+") as stream:
        stream.seek(0)
        _lock(stream, _left(stream.read()))


def _lock(stream: IO[str], left: dict[str, object]) -> None:
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Busy(f"another run works in this folder (process {left.get('pid', '?')})") from None


def _left(text: str) -> dict[str, object]:
    """Return what the run before wrote into the claim."""
    try:
        found = json.loads(text)
    except json.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _wait_for(snakemake: Process) -> None:
    _say(f"the run before was killed, but its Snakemake (process {snakemake.pid}) still works; waiting for it")
    while processes.lives(snakemake):
        time.sleep(0.3)


def _say(text: str) -> None:
    print(f"touchstone: {text}", file=sys.stderr, flush=True)


def check_writable(plan: Plan) -> None:
    """Raise PermissionError for the first folder that a run writes to and cannot."""
    name = plan.study.name
    for folder in ("data/raw", plan.folder, f"reports/{name}", f"logs/{name}", ".snakemake", ".touchstone"):
        existing = next(place for place in (Path(folder), *Path(folder).parents) if place.exists())
        if not os.access(existing, os.W_OK | os.X_OK):
            raise PermissionError(13, "this folder cannot be written to; nothing was run", str(existing))


def clear(plan: Plan, logs: Path) -> None:
    """Clear away, and say so, what a killed run left: Snakemake's lock, jobs without a Snakemake, half-written files."""
    locks = sorted(SNAKEMAKE_LOCKS.glob("*"))
    for lock in locks:
        lock.unlink(missing_ok=True)
    if locks:
        _say("an earlier run was killed; its lock on this folder is removed")
    orphans = run_records.running(logs)
    processes.end(orphans)
    if orphans:
        numbers = ", ".join(str(orphan.pid) for orphan in orphans)
        _say(f"jobs of a killed run were still at work and are ended (process {numbers}); they are done again")
    for path in _half_written(plan):
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def _half_written(plan: Plan) -> list[Path]:
    folders = [Path(plan.folder), Path("reports") / plan.study.name]
    paths = [path for folder in folders for path in folder.rglob(".*")] + list(Path("data/raw").glob(".*"))
    return sorted(path for path in paths if HALF_WRITTEN.fullmatch(path.name))
