"""What the rule files ask for: inputs, outputs and params of a rule, and the environment of its jobs."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

from touchstone.messages import nearest
from touchstone.pipeline.jobs import environment
from touchstone.pipeline.planning.parts import Rule
from touchstone.pipeline.planning.plan import NUMBERS, OPEN, Plan, code_roots, settings_digest
from touchstone.pipeline.planning.shards import SHARD
from touchstone.pipeline.provenance import code as code_files
from touchstone.pipeline.provenance.addresses import files_of
from touchstone.pipeline.provenance.sidecar_files import SIDECAR
from touchstone.pipeline.settings.files import ParamsError

Wildcards = Any  # Snakemake's, a mapping of names to values


def with_sidecars(files: Iterable[str]) -> list[str]:
    """Return the files, each followed by its sidecar: sidecars are inputs and outputs like any other."""
    return [part for file in files for part in (file, file + SIDECAR)]


def constraints(plan: Plan) -> dict[str, str]:
    """Return the regular expression of what each wildcard may be.

    Exactly the real names, so that no impossible path can be asked for; of networks just their shape, for there are so
    many that Snakemake's matching would take minutes: the input function refuses those that are not there.
    """
    names = {name: "|".join(map(re.escape, values)) or "(?!)" for name, values in plan.wildcard_values.items()}
    return names | {name: r"\d+" if name in NUMBERS else r"[a-z][a-z0-9_]*\.\d+" for name in OPEN}


def inputs(plan: Plan, rule: Rule) -> Callable[[Wildcards], list[str]]:
    """Return the input function of a rule. A raw folder stands by its sidecar: Snakemake keeps no checksum of folders."""

    def found(wildcards: Wildcards) -> list[str]:
        for name, value in wildcards.items():
            known = plan.wildcard_values[name]
            known = known[: rule.shards] if name == SHARD else known
            if value not in known:
                raise ParamsError(f"no {name} called {value} in this study.{nearest(value, known)}")
        files = files_of(file for task in plan.tasks(rule, **wildcards) for file in task.input_files)
        return [file for file in with_sidecars(files) if file not in plan.raw_folders]

    return found


def settings(plan: Plan, rule: Rule) -> Callable[[Wildcards], str]:
    """Return the function of a rule's `settings` param: its name, and a digest of just the settings that its job reads."""
    return lambda wildcards: f"{rule.name}:{digests_of_job(plan, rule, wildcards)[0]}"


def code(plan: Plan, rule: Rule) -> Callable[[Wildcards], str]:
    """Return the function of a rule's `code` param: a digest of the code that its job runs."""
    return lambda wildcards: digests_of_job(plan, rule, wildcards)[1]


def digests_of_job(plan: Plan, rule: Rule, wildcards: Wildcards) -> tuple[str, str]:
    """Return the digests of a job's settings and of its code."""
    return _digests(plan, rule, tuple(wildcards.items()))


@cache
def _digests(plan: Plan, rule: Rule, wildcards: tuple[tuple[str, str], ...]) -> tuple[str, str]:
    """Return both digests of a job, computed once for its two params."""
    tasks = plan.tasks(rule, **dict(wildcards))
    return settings_digest(tasks), _code_digest(tuple(code_roots(tasks)))


@cache
def _code_digest(roots: tuple[str, ...]) -> str:
    """Return the digest of the code that some files lead to: many jobs start from the same."""
    return code_files.code_digest(code_files.code_files(roots))


def set_environment(root: str, threads: int) -> None:
    """Set what jobs inherit: the Python beside Snakemake's first on the path, torch's threads and code paths.

    Typed as .venv/bin/snakemake, a job's `python` is then the one beside it; a conda environment, activated by the job
    itself, comes before it again. Without the rest, each torch job would start its Python twice.
    """
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    os.environ["TOUCHSTONE_ROOT"] = root  # where the conda environment's script finds the lock
    environment.set_environment(threads)
