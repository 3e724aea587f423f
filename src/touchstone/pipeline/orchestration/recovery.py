"""Check that a run can write here, and clean up after a killed run."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

from touchstone.pipeline.jobs import processes, run_records
from touchstone.pipeline.orchestration import locks, spoilt_files
from touchstone.pipeline.planning.plan import Plan
from touchstone.provenance.store import Store

# Names of temporary files from `whole_files.replaced` and the step `fetch`.
HALF_WRITTEN = re.compile(r"\..+\.[a-z0-9_]{8}")


def check_writable(plan: Plan) -> None:
    """Raise PermissionError for the first folder that a run needs and cannot write to."""
    name = plan.study.name
    for folder in (
        "data/raw",
        str(Store(name).folder / name),
        plan.folder,
        f"reports/{name}",
        f"logs/{name}",
        ".snakemake",
        ".touchstone",
    ):
        existing = next(place for place in (Path(folder), *Path(folder).parents) if place.exists())
        if not os.access(existing, os.W_OK | os.X_OK):
            raise PermissionError(13, "this folder is not writable; nothing was run", str(existing))


def clear(plan: Plan, logs: Path) -> None:
    """Clean up after a killed run: stale locks, orphaned jobs, half-written files; and what was spoilt since.

    Print what was cleaned up. Call it only inside `locks.claimed`.
    """
    if locks.remove_stale():
        _print("an earlier run was killed; removed its lock on this folder")
    every = [folder.parent for folder in logs.parent.glob(f"*/{run_records.FOLDER}")]  # also of other studies
    orphans = [orphan for each in every for orphan in run_records.running(each)]
    processes.end(orphans)
    if orphans:
        pids = ", ".join(str(orphan.pid) for orphan in orphans)
        _print(f"ended the jobs of a killed run, which were still running (process {pids}); they will run again")
    for path in _half_written(plan):
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    spoilt = spoilt_files.find(plan.study.name, logs)
    spoilt_files.remove(spoilt)
    for sentence in spoilt_files.sentences(spoilt):
        _print(sentence)


def _print(message: str) -> None:
    print(f"touchstone: {message}", file=sys.stderr, flush=True)


def _half_written(plan: Plan) -> list[Path]:
    folders = [Path("data") / plan.study.name, Path("reports") / plan.study.name]
    paths = [path for folder in folders for path in folder.rglob(".*")] + list(Path("data/raw").glob(".*"))
    return sorted(path for path in paths if HALF_WRITTEN.fullmatch(path.name))
