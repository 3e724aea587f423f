"""Run one job: its tasks from the cache or anew, their files and sidecars."""

from __future__ import annotations

import sys
from pathlib import Path

from touchstone.messages import first_line
from touchstone.numerics import precision
from touchstone.pipeline.jobs.adapters import STEPS
from touchstone.pipeline.jobs.environment import _set_up_torch
from touchstone.pipeline.jobs.job import Job
from touchstone.pipeline.jobs.reader import JobError, Reader
from touchstone.pipeline.jobs.warm import TORCH_STEPS
from touchstone.pipeline.planning.parts import Task
from touchstone.pipeline.provenance import cache, sidecar_files

CACHED = frozenset(
    {
        "prepare",
        "convert",
        "train",
        "translate",
        "attack",
        "attack_part",
        "measure",
        "infer",
        "fit",
        "score",
        "evaluate",
    }
)  # not cut and gather: they cost what a copy costs


def run(tasks: tuple[Task, ...], root: Path, logs: Path) -> int:
    """Do every task of a job in order; return how many the action cache held.

    Those are copied, and torch is imported only for the rest.
    """
    reader, store = Reader(), cache.Cache.at(root)
    ready, held = False, 0
    last = {file: place for place, task in enumerate(tasks) for file in task.input_files}
    for place, task in enumerate(tasks):
        missing = [file for file in task.input_files if not Path(file).exists()]
        if missing:
            raise JobError(f"{task.output}: the input {missing[0]} is missing")
        job = Job(task, reader, root, logs)
        if store is not None and task.step in CACHED and (digest := store.fetch(job.action, Path(task.output))):
            sidecar_files.write_sidecar(Path(task.output), digest, job.facts)
            held += 1
            continue
        if task.step in TORCH_STEPS and not ready:
            _set_up_torch(task.settings)
            ready = True
        _do(job)
        if store is not None and task.step in CACHED:
            _keep(store, job)
        reader.forget(file for file in task.input_files if last[file] == place)
    return held


def _do(job: Job) -> None:
    """Do one task; where memory runs out, again with half as many images at a time, which changes no image's result.

    JobError where that leads nowhere: at one image, or in training, where the batch is part of what is trained.
    """
    while True:
        try:
            STEPS[job.task.step](job)
            return
        except (MemoryError, RuntimeError) as error:
            if job.task.step not in TORCH_STEPS or not precision.memory_ran_out(error):
                raise
            ran_out = first_line(error)
        precision.free_memory()
        batch = job.settings.get("batch_size")
        if batch is None or batch == 1:
            less = "one image at a time is too much" if batch else "give the entry a smaller batch_size"
            raise JobError(f"{job.task.output}: memory ran out ({ran_out}); {less}")
        job.settings = job.settings | {"batch_size": batch // 2}
        told = f"memory ran out at {batch} images at a time; going on with {batch // 2} (study.batch_size)"
        print(f"touchstone: {job.task.output}: {told}", file=sys.stderr)


def _keep(store: cache.Cache, job: Job) -> None:
    """Remember the output in the action cache; a cache that cannot be written to is no reason to lose the output."""
    output = Path(job.task.output)
    try:
        store.keep(job.action, sidecar_files.read_sidecar(output)["artefact"], output)
    except OSError as error:
        print(f"touchstone: {output} is made, but the action cache cannot keep it: {error}", file=sys.stderr)
