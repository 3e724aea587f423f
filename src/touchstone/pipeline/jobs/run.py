"""Run one job: take each artefact from the store or compute it."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path

from touchstone.messages import first_line
from touchstone.numerics import precision
from touchstone.pipeline.jobs import environment
from touchstone.pipeline.jobs.artefacts import Artefacts
from touchstone.pipeline.jobs.job import Job
from touchstone.pipeline.jobs.job_plan import JobError


def run_in_own_process(artefacts: Artefacts, logs: Path, threads: int, *, recompute: bool = False) -> int:
    """Run a job in a process of its own, in the environment of jobs; otherwise as `run`. Its digest starts from here."""
    environment.prepare_process(threads)
    return run(artefacts, logs, recompute=recompute)


def run(artefacts: Artefacts, logs: Path, *, recompute: bool = False) -> int:
    """Run every task of a job in order.

    Args:
        artefacts: What the job reads and makes.
        logs: The folder of the study's progress files.
        recompute: Whether to compute what the store has, too.

    Returns:
        The number of tasks that were computed.

    Raises:
        JobError: A task cannot run.
    """
    tasks = artefacts.plan.tasks
    last = {file: place for place, task in enumerate(tasks) for file in task.input_files}
    ready, computed = False, 0
    for place, task in enumerate(tasks):
        if recompute or not artefacts.find(task):
            if task.runs_torch and not ready:
                environment.set_up_torch(task.settings)
                ready = True
            _do(Job(task, artefacts, logs, recompute))
            computed += 1
        artefacts.forget(file for file in task.input_files if last[file] == place)
    return computed


def find_adapter(step: str) -> Callable[[Job], None]:
    """Return the function that runs a step. The digest of a job's code starts from it, as from its components."""
    adapters = importlib.import_module("touchstone.pipeline.jobs.adapters")
    adapter: Callable[[Job], None] = getattr(adapters, f"run_{step}")
    return adapter


def carry_out(job: Job) -> None:
    """Run the step of a job's task. If an input was left out, so is the output, with the same reason."""
    from touchstone.records.nouns import LeftOut, LeftOutError

    try:
        find_adapter(job.task.step)(job)
    except LeftOutError as error:
        job.write(LeftOut(str(error)))


def _do(job: Job) -> None:
    """Run one task; if memory runs out, retry with half the batch size.

    The batch size changes no result, except in training, and of networks that draw random numbers.

    Raises:
        JobError: Memory ran out with one image at a time, or where the batch size changes the result.
    """
    while True:
        try:
            with job.drawn():
                carry_out(job)
            return
        except (MemoryError, RuntimeError) as error:
            if not job.task.runs_torch or not precision.memory_ran_out(error):
                raise
            ran_out = first_line(error)
        precision.free_memory()
        batch = job.settings.get("batch_size")
        if batch is None or batch == 1:
            less = "one image at a time does not fit" if batch else "give the entry a smaller batch_size"
            raise JobError(f"{job.task.output}: memory ran out ({ran_out}); {less}")
        job.settings = job.settings | {"batch_size": batch // 2}
        if "draws" in job.settings:
            raise JobError(
                f"{job.task.output}: memory ran out ({ran_out}); the network draws random numbers, so fewer images at a time"
                f" would draw others: set compute.batch_size below {batch}"
            )
        change = f"memory ran out at {batch} images at a time; continuing with {batch // 2} (compute.batch_size)"
        print(f"touchstone: {job.task.output}: {change}", file=sys.stderr)
