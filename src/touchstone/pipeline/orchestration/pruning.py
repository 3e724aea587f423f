"""Delete what the store and the results of a study hold besides what today's plan names."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from touchstone.pipeline.orchestration.stored_tasks import stored_tasks
from touchstone.pipeline.planning.plan import Plan
from touchstone.provenance import job_folders
from touchstone.provenance.store import Store, record_path


def prune(plan: Plan, store: Store) -> int:
    """Delete the results of a finished study that its plan does not name; return how many.

    Results that other studies made are not touched.

    Raises:
        ValueError: A task of the plan has no result, so the study is not finished. Nothing was deleted.
    """
    places = stored_tasks(plan, store)
    for output, task in plan.tasks.items():
        if task.is_cached and output not in places:
            raise ValueError(f"{output} has no result in the store; run the study first")
    named = set(places.values())
    unnamed = [path for path in sorted(_files(store)) if path not in named]
    for path in unnamed:
        path.unlink(missing_ok=True)
        record_path(path).unlink(missing_ok=True)
    folders = {Path(job_folders.folder_of(plan.study.name, str(job))) for job in plan.jobs.values()}
    for folder in Path(plan.folder).glob("*/*"):
        if folder not in folders:
            shutil.rmtree(folder)
    return len(unnamed)


def _files(store: Store) -> Iterator[Path]:
    """Yield the results of a study in the store, also those whose record is missing; not what a run is writing."""
    for path in (store.folder / store.study).glob("*/*"):
        if path.suffix != ".json" and not path.name.startswith("."):
            yield path
