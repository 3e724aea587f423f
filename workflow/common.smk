# What every rule file uses: the study's settings, its plan, and the names that wildcards may take.
import os
import re
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

sys.path.insert(0, str(Path(workflow.basedir) / "src"))
# Typed as .venv/bin/snakemake, the jobs' `python` is the one beside it; an activated conda environment comes first again.
os.environ["TOUCHSTONE_ROOT"] = str(workflow.basedir)
os.environ["PATH"] = os.pathsep.join(
    [str(Path(sys.executable).parent), os.environ["PATH"]]
)

from touchstone import provenance
from touchstone.params import DEFAULT_STUDY, ParamsError, load
from touchstone.plan import Plan, digests_of
from touchstone.restoring import restore

STUDY = str(config.get("study", DEFAULT_STUDY))
try:
    PLAN = Plan(load(STUDY))
except ParamsError as error:
    raise WorkflowError(f"the settings of study {STUDY} are wrong:\n{error}") from None

# After a clone or a checkout Snakemake's records are missing or wrong; the sidecars that came with the files are not.
if workflow.is_main_process:
    for damaged in restore(PLAN).damaged:
        logger.warning(
            f"{damaged}: its bytes do not match its sidecar; it will be made again"
        )

NAME = PLAN.study.name
LOGS = f"logs/{NAME}"
REPORT = f"reports/{NAME}/report.html"
METRICS = [PLAN.file("metrics", evaluation) for evaluation in PLAN.study["evaluations"]]
DEVICE = PLAN.study["study"]["device"]
TORCH_THREADS = PLAN.study["study"]["threads"]
TORCH_RESOURCES = {"gpu": int(DEVICE == "cuda"), "mem_mb": 3000, "runtime": 60}

if workflow.cores is not None and workflow.cores < TORCH_THREADS:
    raise WorkflowError(
        f"study {NAME} gives each torch job {TORCH_THREADS} threads, but only {workflow.cores} core(s) are given: use --cores {TORCH_THREADS} or more"
    )


# Exactly the real names, so that no impossible path can be asked for.
VALUES = {
    name: "|".join(map(re.escape, names)) or "(?!)"
    for name, names in PLAN.wildcard_values().items()
}


wildcard_constraints:
    **VALUES,


# One command for every rule: a job plans its own tasks from the same settings, and refuses if they or the code moved on.
RUN = f"PYTHONPATH=src python -m touchstone job {{rule}} {{wildcards}} --study {STUDY} --settings {{params.settings}} --code {{params.code}} 2> {{log}}"


def with_sidecars(files):
    """Return the files, each followed by its sidecar: sidecars are inputs and outputs like any other."""
    return [part for file in files for part in (file, file + provenance.SIDECAR)]


def inputs(rule):
    """Return the input function of a rule. A raw folder stands by its sidecar: Snakemake keeps no checksum of folders."""

    def found(wildcards):
        files = dict.fromkeys(
            file for task in PLAN.tasks(rule, **wildcards) for file in task.input_files
        )
        return [file for file in with_sidecars(files) if file not in PLAN.raw_folders]

    return found


def settings(rule):
    """Return the function of a rule's `settings` param: a digest of just the settings that its job reads."""
    return lambda wildcards: digests_of(PLAN.tasks(rule, **wildcards))[0]


def code(rule):
    """Return the function of a rule's `code` param: a digest of the code that its job runs."""
    return lambda wildcards: digests_of(PLAN.tasks(rule, **wildcards))[1]
