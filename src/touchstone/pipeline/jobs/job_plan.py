"""The plan of one job, as the process that planned the study wrote it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from touchstone.pipeline.planning.parts import FOLDER, Task
from touchstone.provenance import job_folders

AGAIN = "jobs are started by Snakemake, so run it again"
RECOMPUTE = "TOUCHSTONE_RECOMPUTE"  # the rule whose jobs compute what the store has, too
VARIABLE = "TOUCHSTONE_PLAN"  # the folder of the plans, for jobs that run in another folder


class JobError(Exception):
    """A job cannot run; the message is for the user."""


@dataclass(frozen=True)
class JobPlan:
    """A job: its tasks in order, and where what they read and write lies on this machine.

    Attributes:
        study: The study that it belongs to.
        rule: The rule that started it.
        name: What it works on.
        tasks: Its tasks.
        folders: The folder in which each job's artefacts lie, by the folder that the plan names.
        more: What only some rules need.
    """

    study: str
    rule: str
    name: str
    tasks: tuple[Task, ...]
    folders: dict[str, Path]
    more: dict[str, Any]

    def place(self, path: str) -> Path:
        """Return where an artefact lies: Snakemake may keep a job's folder elsewhere than the plan names it."""
        split = job_folders.split(path)
        if split is None:
            return self.folders.get(path, Path(path))
        folder, rest = split
        return self.folders.get(str(folder), folder) / rest

    def code(self, digest: str) -> dict[str, Any]:
        """Return the definitions and packages behind a digest of code."""
        return _read(Path("code") / f"{digest.removeprefix('sha256:')}.json")


def load(digest: str, inputs: Iterable[str], output: str) -> JobPlan:
    """Return a job's plan.

    Args:
        digest: The digest that names it.
        inputs: The folders of the jobs that it reads, in the order of the plan.
        output: The folder of the job; for `report`, the page.

    Raises:
        JobError: The plan is missing or damaged, or names other inputs.
    """
    content = _read(Path(f"{digest}.json"))
    study, rule, name = content.pop("study"), content.pop("rule"), content.pop("name")
    names, places = content.pop("inputs"), list(inputs)
    if len(names) != len(places):
        read = f"{len(names)} folder(s) ({', '.join(names)})"
        raise JobError(f"{rule} {name} reads {read}, but got {len(places)}; {AGAIN}")
    tasks = tuple(Task(**task) for task in content.pop("tasks"))
    folders = {job_folders.folder_of(study, other): Path(place) for other, place in zip(names, places, strict=True)}
    own = tasks[0].output if rule in ("fetch", "report") else job_folders.folder_of(study, f"{rule}/{name}")
    folders[own] = Path(output)
    return JobPlan(study, rule, name, tasks, folders, content)


def _read(path: Path) -> dict[str, Any]:
    path = Path(os.environ.get(VARIABLE) or FOLDER) / path
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise JobError(f"{path}: there is no such plan; {AGAIN}") from None
    except ValueError:
        content = None
    if not isinstance(content, dict):  # after a power cut
        raise JobError(f"{path}: not a whole plan; {AGAIN}")
    return content
