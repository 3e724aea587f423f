"""`touchstone job PLAN`: run one job of the workflow, as its rules call it."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path

from touchstone import plugins
from touchstone.pipeline.jobs import job_plan, processes, run_records, warm
from touchstone.pipeline.jobs.artefacts import Artefacts
from touchstone.pipeline.jobs.job_plan import JobError
from touchstone.pipeline.planning.steps import STEPS
from touchstone.pipeline.provenance.store import Store


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `job`."""
    parser.add_argument("plan", help="the digest of the job's plan")
    parser.add_argument("--input", nargs="*", default=[], help="the folders of the jobs that it reads")
    parser.add_argument(
        "--output", nargs="+", required=True, help="the folder that it makes, or the page and what goes with it"
    )
    parser.add_argument("--threads", type=int, default=1, help="the number of torch's threads")


def main(options: argparse.Namespace) -> int:
    """Run the job; ValueError says why it cannot run.

    A job looks its tasks up in the store before it imports torch. Only if one is missing, it continues in a fork of a
    process that has torch already, if there is one.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is meant for the run that started this job: the job finishes
    try:
        plan = job_plan.load(options.plan, options.input, options.output[0])
        artefacts = Artefacts(plan, Store(plan.study))
        recompute = os.environ.get(job_plan.RECOMPUTE) == plan.rule
        if recompute or plan.rule == "prepare" or not all(map(artefacts.find, plan.tasks)):
            if not warm.is_fork() and (status := warm.run(sys.argv[1:], options.threads)) is not None:
                return status
            plugins.use(filter(None, os.environ.get(plugins.VARIABLE, "").split(os.pathsep)))
        _run(artefacts, Path(options.output[0]), options.threads, recompute)
    except JobError as error:
        raise ValueError(str(error)) from error
    return 0


def _run(artefacts: Artefacts, output: Path, threads: int, recompute: bool) -> None:
    """Compute what the store lacks, fill the job's folder, and write the job's run record."""
    plan = artefacts.plan
    logs, computed = Path("logs") / plan.study, 0
    with processes.leaving_at_sigterm(), run_records.recorded(logs, plan) as record:
        if len(artefacts.made) < len(plan.tasks):
            from touchstone.pipeline.jobs import run

            computed = run.run_in_own_process(artefacts, logs, threads, recompute=recompute)
        if plan.rule == "prepare":
            from touchstone.pipeline.jobs import image_shapes, leak_check

            image_shapes.check(artefacts)
            leak_check.check(artefacts)
        if STEPS[plan.tasks[0].step].cached:
            artefacts.finish(output)
        record["computed"] = computed
    print(f"{plan.rule} {plan.name}: {computed} computed, {len(plan.tasks) - computed} in the store")
