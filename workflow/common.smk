# What the files in rules/ share: settings, plan and values of wildcards of the study.
import gc
import shlex
import sys
from functools import partial
from pathlib import Path
from shutil import which

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

# The clone, also if another workflow uses this one as a module.
ROOT = Path(workflow.current_basedir.path).resolve().parent
sys.path.insert(0, str(ROOT / "src"))

from touchstone.pipeline.auditing import leakage
from touchstone.pipeline.jobs import run_records
from touchstone.pipeline.orchestration import rules as rule_functions
from touchstone.pipeline.jobs import warm
from touchstone.pipeline.orchestration import snakemake_patches
from touchstone.pipeline.settings.study import load
from touchstone.pipeline.settings.files import DEFAULT_STUDY, ParamsError
from touchstone.pipeline.planning.plan import Plan
from touchstone.pipeline.orchestration.restore import restore
from touchstone.pipeline.orchestration.rules import set_environment, with_sidecars

if workflow.is_main_process:
    # A plan creates millions of objects and frees none, so garbage collection would take a fifth of its time.
    gc.disable()

STUDY = str(config.get("study", DEFAULT_STUDY))
try:
    PLAN = Plan(load(STUDY))
except ParamsError as error:
    raise WorkflowError(f"the settings of study {STUDY} are wrong:\n{error}") from None

# Snakemake quotes the arguments of submitted jobs for Python, not for a shell.
SUBMITS = workflow.is_main_process and not workflow.local_exec
if SUBMITS and shlex.quote(STUDY) != STUDY:
    raise WorkflowError(
        f"on a cluster the path of a study may contain only letters, digits and ._/+-@:,%: copy {STUDY!r} to such a path"
    )

NAME = PLAN.study.name
LOGS = f"logs/{NAME}"
REPORT = f"reports/{NAME}/report.html"
METRICS = [
    PLAN.layout.file("metrics", evaluation) for evaluation in PLAN.study["evaluations"]
]
TORCH_THREADS = PLAN.study["study"]["threads"]


def growing(amount):
    """Return a function that gives a job this amount, and on a cluster more at each attempt after it ran out of it."""
    return lambda wildcards, attempt: amount * attempt


PLAIN_RESOURCES = {"mem_mb": growing(3000), "runtime": growing(60)}  # MB, minutes
TORCH_RESOURCES = {
    "gpu": int(PLAN.study["study"]["device"] == "cuda"),
    "mem_mb": growing(4000),
    "runtime": growing(240),
}
METHODS = {method.name for method in workflow.deployment_settings.deployment_method}
RUN = rule_functions.command(STUDY, deployed=bool(METHODS))
VALUES = rule_functions.constraints(PLAN)

METHODS = {method.name for method in workflow.deployment_settings.deployment_method}
inputs, settings = (
    partial(function, PLAN)
    for function in (rule_functions.inputs, rule_functions.settings)
)
# Under conda or in a container, jobs have the packages of the lock; otherwise those of this Python.
code = partial(
    rule_functions.code, PLAN, ROOT / "requirements.lock" if METHODS else None
)
set_environment(str(ROOT), TORCH_THREADS)

CORES = (
    workflow.resource_settings.cores
)  # None on a cluster, where workflow.cores is an error
# A submitted job has the cores that its own rule asks for.
if workflow.is_main_process and CORES is not None and CORES < TORCH_THREADS:
    raise WorkflowError(
        f"study {NAME} gives each torch job {TORCH_THREADS} threads, but Snakemake has only {CORES} core(s):"
        f" use --cores {TORCH_THREADS} or more"
    )

if "CONDA" in METHODS and workflow.is_main_process and which("conda") is None:
    raise WorkflowError(
        "--use-conda needs conda, which is not installed: install it, or type `make run`, which needs only Python"
    )

# After a clone or a checkout Snakemake's records are missing or wrong. The sidecars are stored with the files.
RESTORED = restore(PLAN) if workflow.is_main_process else None
if workflow.is_main_process:
    try:
        # Check the sets that exist; the others are checked when they are prepared.
        leakage.check(PLAN)
    except leakage.Leak as error:
        raise WorkflowError(str(error)) from None
    for message in RESTORED.messages():
        logger.warning(message)
    if PLAN.layout.unpinned:
        logger.warning(
            f"sha256 is null for {', '.join(PLAN.layout.unpinned)}: only the publisher's digests are checked;"
            " to pin a source, copy the digest from logs/fetch/SOURCE.log into the study"
        )

if "container" in config:

    # The image of every job under --sdm apptainer.
    container: config["container"]


onstart:
    # Not called if there is nothing to do.
    if workflow.is_main_process:
        Path(LOGS, run_records.LEAK).unlink(missing_ok=True)
        if UNTESTED := snakemake_patches.drop_default_rate_limit(workflow):
            logger.warning(UNTESTED)
    gc.freeze()
    gc.enable()
    # Only if jobs are processes on this machine that use this Python.
    if workflow.is_main_process and workflow.local_exec and not METHODS:
        warm.start()


wildcard_constraints:
    **VALUES,
