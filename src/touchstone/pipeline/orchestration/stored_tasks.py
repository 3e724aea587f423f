"""Which tasks of a plan have a result in the store already: a job that is started computes only the others."""

from __future__ import annotations

from collections.abc import Container
from graphlib import TopologicalSorter
from pathlib import Path

from touchstone.pipeline.planning.plan import Plan
from touchstone.provenance import job_folders, sidecar_files, store


def stored_tasks(plan: Plan, kept: store.Store, fetching: Container[str] = ()) -> dict[str, Path]:
    """Return the files of a plan that the store, or data/raw, has, and where; nothing is written.

    What is made from something that the store lacks is not among them, although it may turn out to be there.

    Args:
        plan: The plan of a study.
        kept: The store.
        fetching: The folders of raw files that a run fetches anew: their bytes may change.
    """
    places: dict[str, Path] = {}
    digests: dict[str, str] = {}
    codes = plan.codes()
    order = TopologicalSorter({path: task.input_files for path, task in plan.tasks.items()})
    for path in order.static_order():
        task = plan.tasks[path]
        if task.step == "fetch":
            if path in fetching:
                continue
            try:
                places[path], digests[path] = Path(path), sidecar_files.read_sidecar(Path(path))["artefact"]
            except ValueError:  # it was not fetched yet
                continue
        elif task.is_cached and digests.keys() >= set(task.input_files):
            key = store.key_of(task.step, codes[path].digest, task.settings, task.roles, digests.__getitem__)
            result = store.look_up(kept, job_folders.job_of(path)[0], key, job_folders.name_of(path))
            if result is not None:
                places[path], digests[path] = result.path, result.record["artefact"]
    return places
