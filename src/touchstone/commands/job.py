"""`touchstone job PLAN`: run one job of the workflow, as its rules call it."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import click

from touchstone import plugins
from touchstone.commands._command_line import Command, Several
from touchstone.pipeline.jobs import job_plan, processes, run_records, warm
from touchstone.pipeline.jobs.artefacts import Artefacts
from touchstone.pipeline.jobs.job_plan import JobError
from touchstone.provenance import sidecar_files
from touchstone.provenance.store import Store


@click.command("job", cls=Command, hidden=True)
@click.argument("plan", help="the digest of the job's plan")
@click.option(
    "--input", "inputs", cls=Several, multiple=True, is_flag=False, flag_value="", metavar="FOLDER...",
    help="the folders of the jobs that it reads; none is allowed",
)  # fmt: skip
@click.option(
    "--output", "outputs", cls=Several, multiple=True, required=True, metavar="PATH...",
    help="the folder that it makes, or the page and what goes with it",
)  # fmt: skip
@click.option("--threads", type=int, default=1, metavar="N", help="the number of torch's threads (default: 1)")
def main(plan: str, inputs: tuple[str, ...], outputs: tuple[str, ...], threads: int) -> int:
    """Run one job of the workflow, as its rules call it.

    It looks its tasks up in the store before it imports torch. Only if one is missing, it continues in a fork of a process
    that has torch already, if there is one.

    \b
    Examples:
      touchstone job DIGEST --input results/tiny/prepare/tiny --output results/tiny/train/cnn.0
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is meant for the run that started this job: the job finishes
    try:
        planned = job_plan.load(plan, list(filter(None, inputs)), outputs[0])
        artefacts = Artefacts(planned, Store(planned.study))
        recompute = os.environ.get(job_plan.RECOMPUTE) == planned.rule
        if recompute or planned.rule == "prepare" or not all(map(artefacts.find, planned.tasks)):
            if not warm.is_fork() and (status := warm.run(sys.argv[1:], threads)) is not None:
                return status
            plugins.use(filter(None, os.environ.get(plugins.VARIABLE, "").split(os.pathsep)))
        _run(artefacts, Path(outputs[0]), threads, recompute)
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
        if plan.tasks[0].is_cached:
            artefacts.finish(output)
        if plan.rule == "report":
            record[run_records.PAGE] = sidecar_files.read_sidecar(output)["artefact"]
        record["computed"] = computed
    print(f"{plan.rule} {plan.name}: {computed} computed, {len(plan.tasks) - computed} in the store")
