"""Delete what the store and the results of a study hold besides what today's plan names."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

from touchstone.pipeline.planning.plan import Plan
from touchstone.provenance import job_folders, sidecar_files
from touchstone.provenance.store import Result, Store, key_of, record_path


def prune(plan: Plan, store: Store) -> int:
    """Delete the results of a finished study that its plan does not name; return how many.

    Results that other studies made are not touched.

    Raises:
        ValueError: A task of the plan has no result, so the study is not finished. Nothing was deleted.
    """
    named = {result.path for result in results(plan, store)}
    unnamed = [path for path in sorted(_files(store)) if path not in named]
    for path in unnamed:
        path.unlink(missing_ok=True)
        record_path(path).unlink(missing_ok=True)
    folders = {Path(job_folders.folder_of(plan.study.name, str(job))) for job in plan.jobs.values()}
    for folder in Path(plan.folder).glob("*/*"):
        if folder not in folders:
            shutil.rmtree(folder)
    return len(unnamed)


def results(plan: Plan, store: Store) -> Iterator[Result]:
    """Yield the result of every task of a plan that the store keeps.

    Raises:
        ValueError: The store lacks one, or raw files have no sidecar.
    """
    digests: dict[str, str] = {}
    codes = plan.codes()
    order = TopologicalSorter({path: task.input_files for path, task in plan.tasks.items()})
    for path in order.static_order():
        task = plan.tasks[path]
        if task.step == "fetch":
            digests[path] = sidecar_files.read_sidecar(Path(path))["artefact"]
        elif task.is_cached:
            read = {role: {file: digests[file] for file in files} for role, files in task.roles.items()}
            key = key_of(task.step, codes[path].digest, task.settings, read)
            found = store.find(job_folders.job_of(path)[0], key, job_folders.name_of(path))
            if found is None:
                raise ValueError(f"{path} has no result in the store; run the study first")
            digests[path] = found.record["artefact"]
            yield found


def _files(store: Store) -> Iterator[Path]:
    """Yield the results of a study in the store, also those whose record is missing."""
    yield from (path for path in (store.folder / store.study).glob("*/*") if path.suffix != ".json")
