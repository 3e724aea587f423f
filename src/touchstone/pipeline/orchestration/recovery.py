"""Before Snakemake starts: check that a run can write here, and clear away what a killed run left behind."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

from touchstone.pipeline.jobs import processes, run_records
from touchstone.pipeline.orchestration import locks
from touchstone.pipeline.planning.plan import Plan

# The names of a file before it is whole, as `whole_files.write_whole`, the step `fetch` and the action cache choose them.
HALF_WRITTEN = re.compile(r"\..+\.([a-z0-9_]{8}|linked)")


def check_writable(plan: Plan) -> None:
    """Raise PermissionError for the first folder that a run has to write to and cannot."""
    name = plan.study.name
    for folder in ("data/raw", plan.folder, f"reports/{name}", f"logs/{name}", ".snakemake", ".touchstone"):
        existing = next(place for place in (Path(folder), *Path(folder).parents) if place.exists())
        if not os.access(existing, os.W_OK | os.X_OK):
            raise PermissionError(13, "this folder cannot be written to; nothing was run", str(existing))


def clear(plan: Plan, logs: Path) -> None:
    """Remove what a killed run left, and say so: stale locks, jobs without a Snakemake, half-written files.

    Call it under `locks.claimed`.
    """
    if locks.remove_stale():
        _print("an earlier run was killed; its lock on this folder is removed")
    orphans = run_records.running(logs)
    processes.end(orphans)
    if orphans:
        pids = ", ".join(str(orphan.pid) for orphan in orphans)
        _print(f"jobs of a killed run were still at work and have been ended (process {pids}); they will run again")
    for path in _half_written(plan):
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def _print(message: str) -> None:
    print(f"touchstone: {message}", file=sys.stderr, flush=True)


def _half_written(plan: Plan) -> list[Path]:
    folders = [Path(plan.folder), Path("reports") / plan.study.name]
    paths = [path for folder in folders for path in folder.rglob(".*")] + list(Path("data/raw").glob(".*"))
    return sorted(path for path in paths if HALF_WRITTEN.fullmatch(path.name))
