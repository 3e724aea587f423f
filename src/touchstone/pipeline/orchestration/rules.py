"""Functions for the rule files: a rule's inputs, outputs, params and environment."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

from touchstone import plugins
from touchstone.messages import nearest
from touchstone.pipeline.jobs import environment
from touchstone.pipeline.planning.parts import Rule
from touchstone.pipeline.planning.patterns import NETWORKS, SEED
from touchstone.pipeline.planning.plan import Plan, settings_digest
from touchstone.pipeline.provenance import code as job_code
from touchstone.pipeline.provenance.addresses import files_of
from touchstone.pipeline.provenance.sidecar_files import SIDECAR
from touchstone.pipeline.settings.files import ParamsError

Wildcards = Any  # Snakemake's mapping of names to values


def with_sidecars(files: Iterable[str]) -> list[str]:
    """Return the files, each followed by its sidecar, which is an input or output too."""
    return [part for file in files for part in (file, file + SIDECAR)]


def constraints(plan: Plan) -> dict[str, str]:
    """Return a regular expression for each wildcard.

    It matches exactly the names in the study, so that nobody can request an impossible path. Networks and seeds are
    the exception, because there are so many that Snakemake's matching would take minutes. Their expression describes only
    the form, and the input function rejects those that the study does not have.
    """
    names = {name: "|".join(map(re.escape, values)) or "(?!)" for name, values in plan.wildcard_values.items()}
    return names | {name: r"\d+" if name == SEED else r"[a-z][a-z0-9_]*\.\d+" for name in NETWORKS}


def inputs(plan: Plan, rule: Rule) -> Callable[[Wildcards], list[str]]:
    """Return the input function of a rule: the sidecars of what its jobs read.

    A sidecar contains the digest of its file, so it changes whenever the file does. Without the files themselves,
    Snakemake has half as many inputs to check.
    """

    def input_files(wildcards: Wildcards) -> list[str]:
        for name, value in wildcards.items():
            values = plan.wildcard_values[name]
            if value not in values:
                raise ParamsError(f"no {name} called {value} in this study.{nearest(value, values)}")
        files = files_of(file for task in plan.tasks(rule, **wildcards) for file in task.input_files)
        return [file + SIDECAR for file in files]

    return input_files


def settings(plan: Plan, rule: Rule) -> Callable[[Wildcards], str]:
    """Return the function of a rule's `settings` param.

    The param consists of the rule's name and a digest of only those settings that the job reads.
    """
    return lambda wildcards: f"{rule.name}:{settings_digest(plan.tasks(rule, **dict(wildcards.items())))}"


def code(plan: Plan, lock: Path | None, rule: Rule) -> Callable[[Wildcards], str]:
    """Return the function of a rule's `code` param, a digest of its job's code.

    Args:
        plan: The plan of the study.
        lock: The requirements file of the environment in which jobs run; None for that of Snakemake.
        rule: The rule.
    """
    return lambda wildcards: code_of_job(plan, rule, wildcards, lock)


def code_of_job(plan: Plan, rule: Rule, wildcards: Wildcards, lock: Path | None = None) -> str:
    """Return the digest of a job's code."""
    tasks = plan.tasks(rule, **dict(wildcards.items()))
    return job_code.job_digest(_code_digest(job_code.roots(task.step, task.settings), lock) for task in tasks)


@cache
def _code_digest(roots: tuple[job_code.Node, ...], lock: Path | None) -> str:
    """Return the digest of all code that starts from these definitions; many jobs share it."""
    return job_code.code_from(roots, lock).digest


def command(study: str, *, deployed: bool) -> str:
    """Return the shell command of every job, which Snakemake formats.

    The job plans its tasks from the same settings, and fails if they or the code have changed. The command itself names
    the package that planned the job, because Snakemake deletes PYTHONPATH from the environment of jobs in conda.

    Args:
        study: The study's name or the path of its file, as the user wrote it.
        deployed: Whether jobs run in conda or a container, whose Python may not be able to use the user's packages.
    """
    folders = str(plugins.PACKAGE.parent) if deployed else environment.python_path()
    path, name = (shlex.quote(word).replace("{", "{{").replace("}", "}}") for word in (folders, study))
    job = "python -m touchstone job {params.settings} {wildcards}"
    return f"PYTHONPATH={path} {job} --study={name} --code {{params.code}} 2> {{log}}"


def set_environment(root: str, threads: int) -> None:
    """Set the environment that jobs and the warm process inherit: the paths, torch's threads and code paths.

    Snakemake's folder comes first on the path, so that .venv/bin/snakemake starts jobs with .venv/bin/python. A conda
    environment, which the job activates itself, still precedes it. Without torch's variables in the environment, each
    torch job would restart its Python to set them.

    Args:
        root: The project's folder.
        threads: The threads of a torch job.
    """
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    os.environ["PYTHONPATH"] = environment.python_path()
    os.environ["TOUCHSTONE_ROOT"] = root  # the script of the conda environment reads requirements.lock there
    environment.set_environment(threads)
