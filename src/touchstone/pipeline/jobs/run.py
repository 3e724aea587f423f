"""Run one job: copy each artefact from the action cache or compute it."""

from __future__ import annotations

import importlib
import sys
from collections import deque
from collections.abc import Callable
from pathlib import Path

from touchstone.messages import first_line
from touchstone.numerics import precision
from touchstone.pipeline.jobs import environment, warm
from touchstone.pipeline.jobs.job import Job
from touchstone.pipeline.jobs.outputs import Outputs
from touchstone.pipeline.jobs.reader import JobError, Reader
from touchstone.pipeline.planning.parts import Task
from touchstone.pipeline.planning.steps import STEPS
from touchstone.pipeline.provenance import cache, sidecar_files


def run_in_own_process(tasks: tuple[Task, ...], root: Path, logs: Path) -> int:
    """Run a job in a process of its own, in the environment of jobs; otherwise as `run`. Its digest starts from here."""
    step = STEPS[tasks[0].step]
    environment.prepare_process(tasks[0].settings["threads"] if step.torch else 1)
    return run(tasks, root, logs)


def run(tasks: tuple[Task, ...], root: Path, logs: Path) -> int:
    """Run every task of a job in order.

    Torch is imported only if a task has to be computed.

    Returns:
        The number of tasks that were not computed, because their artefact was current or in the action cache.

    Raises:
        JobError: A task cannot run.
    """
    reader, store = Reader(), cache.Cache.at(root)
    ready, reused = False, 0
    last = {file: place for place, task in enumerate(tasks) for file in task.input_files}
    with Outputs() as outputs:
        jobs = deque(Job(task, reader, outputs, logs) for task in tasks)
        for place, task in enumerate(tasks):
            missing = [file for file in task.input_files if not sidecar_files.exists(Path(file))]
            if missing:
                raise JobError(f"{task.output}: the input {missing[0]} is missing")
            job = jobs.popleft()  # frees the artefact of the previous task
            if STEPS[task.step].cached and _reused(job, store):
                reused += 1
            else:
                warm.ready_to_compute()
                if STEPS[task.step].torch and not ready:
                    environment.set_up_torch(task.settings)
                    ready = True
                written = _do(job)
                if store is not None and STEPS[task.step].cached and written:  # the reason names this study's entries
                    _keep(store, job)
            reader.forget(file for file in task.input_files if last[file] == place)
    return reused


def find_adapter(step: str) -> Callable[[Job], None]:
    """Return the function that runs a step. The digest of a job's code starts from it, as from its components."""
    adapters = importlib.import_module("touchstone.pipeline.jobs.adapters")
    adapter: Callable[[Job], None] = getattr(adapters, f"run_{step}")
    return adapter


def carry_out(job: Job) -> bool:
    """Run the step of a job's task; return whether it wrote what it should.

    If an input was left out, so is the output, with the same reason.
    """
    from touchstone.records.nouns import LeftOut, LeftOutError

    try:
        find_adapter(job.task.step)(job)
    except LeftOutError as error:
        job.write(LeftOut(str(error)))
        return False
    return True


def _reused(job: Job, store: cache.Cache | None) -> bool:
    """Return whether a task's artefact is current or in the action cache.

    If so, its new record is written.
    """
    if job.outputs.keep_current(job.task.output, job.action, job.facts):
        return True
    cached = None if store is None else store.fetch(job.action)
    if cached is None:
        return False
    try:
        data = cached.read_bytes()
    except FileNotFoundError:  # somebody has just deleted the cache
        return False
    job.outputs.write(job.task.output, data, job.facts)
    return True


def _do(job: Job) -> bool:
    """Run one task; if memory runs out, retry with half the batch size.

    The batch size changes no result, except in training.

    Returns:
        Whether its output was computed, and not left out.

    Raises:
        JobError: Memory ran out with one image at a time, or in training, where the batch size changes the result.
    """
    while True:
        try:
            with job.drawn():
                return carry_out(job)
        except (MemoryError, RuntimeError) as error:
            if not STEPS[job.task.step].torch or not precision.memory_ran_out(error):
                raise
            ran_out = first_line(error)
        precision.free_memory()
        batch = job.settings.get("batch_size")
        if batch is None or batch == 1:
            less = "one image at a time does not fit" if batch else "give the entry a smaller batch_size"
            raise JobError(f"{job.task.output}: memory ran out ({ran_out}); {less}")
        job.settings = job.settings | {"batch_size": batch // 2}
        change = f"memory ran out at {batch} images at a time; continuing with {batch // 2} (study.batch_size)"
        print(f"touchstone: {job.task.output}: {change}", file=sys.stderr)


def _keep(store: cache.Cache, job: Job) -> None:
    """Store the output in the action cache. If that fails, warn and keep the output."""
    try:
        store.keep(job.action, job.written)
    except OSError as error:
        print(
            f"touchstone: {job.task.output} is complete, but cannot be stored in the action cache: {error}",
            file=sys.stderr,
        )
