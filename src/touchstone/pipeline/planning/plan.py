"""The plan of a study: every task behind its report, and the jobs that hold them.

A plan is made once, by the process that starts the jobs. It writes the plan of each job to a file, so that a job knows
nothing of studies, papers or settings files.
"""

from __future__ import annotations

import json
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from touchstone import digests
from touchstone.pipeline.planning import apart
from touchstone.pipeline.planning.layout import Layout
from touchstone.pipeline.planning.parts import FOLDER, RULES, STEPS, Job, Task
from touchstone.pipeline.planning.questions import Questions
from touchstone.pipeline.planning.tasks import Tasks
from touchstone.provenance import code, whole_files
from touchstone.provenance.job_folders import job_of, name_of
from touchstone.settings.files import ParamsError
from touchstone.settings.study import Study

SHARED = "raw"  # stands for the study of what all studies share: downloads
UNUSED = 30 * 24 * 3600.0  # seconds after which a plan is deleted that no study has any more


class Plan:
    """The tasks and jobs behind the report of a study.

    Attributes:
        tasks: The task that makes each artefact, by its path.
        jobs: Each job, by its rule and name, in the order of the rules.
    """

    def __init__(self, study: Study) -> None:
        self.study = study
        self.layout = Layout(study)
        self._makers = Tasks(self.layout)
        self.questions = Questions(self.layout, self._makers)
        self.folder = self.layout.folder
        self._codes: dict[Path | None, dict[str, code.Code]] = {}

    @cached_property
    def tasks(self) -> dict[str, Task]:
        """Every task behind the report, by the path of what it makes."""
        tasks: dict[str, Task] = {}
        waiting = [self.layout.page]
        while waiting:
            path = waiting.pop()
            if path not in tasks:
                step, about = self.layout.made_by[path]
                maker: Callable[..., Task] = getattr(self._makers, step, None) or getattr(self.questions, step)
                tasks[path] = maker(*about)
                waiting += tasks[path].input_files
        return _without_unread_labels(tasks)

    @cached_property
    def jobs(self) -> dict[tuple[str, str], Job]:
        """The jobs of the study.

        Raises:
            ParamsError: Two jobs wait for each other.
        """
        members: dict[tuple[str, str], list[str]] = defaultdict(list)
        for path in self.tasks:
            members[job_of(path)].append(path)
        order = {step: place for place, step in enumerate(STEPS)}
        jobs = {}
        for rule, name in sorted(members, key=lambda job: (RULES.index(job[0]), job[1])):
            own = sorted(members[rule, name], key=lambda path: (order[self.tasks[path].step], path))
            tasks = tuple(self.tasks[path] for path in _in_order(own, self.tasks))
            # A report names the origin of every file behind it.
            behind = members if rule == "report" else (job_of(file) for task in tasks for file in task.input_files)
            read = dict.fromkeys(behind)
            inputs = sorted(read.keys() - {(rule, name)}, key=lambda job: (RULES.index(job[0]), job[1]))
            jobs[rule, name] = Job(rule, name, tasks, tuple("/".join(job) for job in inputs))
        _refuse_cycles(jobs.values())
        return jobs

    def codes(self, lock: Path | None = None) -> dict[str, code.Code]:
        """Return the code of each task, by the path of what it makes.

        Args:
            lock: The requirements file of the environment in which jobs will run; None for this environment.
        """
        if lock in self._codes:
            return self._codes[lock]
        roots = {path: code.roots(task.step, task.settings) for path, task in self.tasks.items()}
        found = code.codes_from(set(roots.values()), lock)
        self._codes[lock] = {path: found[each] for path, each in roots.items()}
        return self._codes[lock]

    def write(self, lock: Path | None = None, folder: Path = FOLDER) -> dict[tuple[str, str], str]:
        """Write the plan of each job to a file that is named by its digest.

        A plan with other settings adds files and changes none.

        Args:
            lock: The requirements file of the environment in which jobs will run; None for this environment.
            folder: The folder of the files.

        Returns:
            The digest of each job's plan. Snakemake reruns a job if it changes.
        """
        codes = self.codes(lock)
        written = {}
        for key, job in self.jobs.items():
            tasks = [replace(task, code=codes[task.output].digest).as_json() for task in job.tasks]
            facts: dict[str, Any] = {
                "study": SHARED if job.rule == "fetch" else self.study.name,
                "rule": job.rule,
                "name": job.name,
                "inputs": list(job.inputs),
            }
            if job.rule == "prepare":
                pairs = [[*pair, reason] for pair, reason in apart.pairs(self.study).items()]
                facts |= {"examples": self.study["examples"], "apart": pairs}
            written[key] = _write_by_digest(folder, {**facts, "tasks": tasks})
        for found in {one.digest: one for one in codes.values()}.values():
            listed = {"definitions": found.definitions, "packages": found.packages}
            name = found.digest.removeprefix("sha256:")
            _write_unless_there(folder / "code" / f"{name}.json", json.dumps(listed, sort_keys=True))
        code.save()
        _forget_unused(folder)
        return written


def _write_by_digest(folder: Path, content: dict[str, Any]) -> str:
    text = json.dumps(content, allow_nan=False)  # in the order of the study, in which a report lists what it has
    digest = digests.sha256(text.encode()).removeprefix("sha256:")
    _write_unless_there(folder / f"{digest}.json", text)
    return digest


def _write_unless_there(path: Path, text: str) -> None:
    """Write a file that is named by what it says, unless it is there and whole: a power cut may have damaged it."""
    data = text.encode()
    if path.exists() and path.read_bytes() == data:
        os.utime(path)
    else:
        whole_files.write_whole(path, data, lasting=False)


def _forget_unused(folder: Path) -> None:
    """Delete plans that nobody has planned for a while."""
    before = time.time() - UNUSED
    for path in folder.glob("*.json"):
        if path.stat().st_mtime < before:
            path.unlink(missing_ok=True)


def _in_order(paths: list[str], tasks: dict[str, Task]) -> Iterable[str]:
    """Return the artefacts of one job, each behind those that it is made from."""
    own = set(paths)
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for path in paths:
        sorter.add(path, *(file for file in tasks[path].input_files if file in own))
    return sorter.static_order()


def _refuse_cycles(jobs: Iterable[Job]) -> None:
    """Raise ParamsError if jobs wait for each other. Snakemake itself accepts that once their outputs exist."""
    try:
        TopologicalSorter({str(job): job.inputs for job in jobs}).prepare()
    except CycleError as error:
        waiting = " waits for ".join(reversed(error.args[1]))
        message = f"these jobs wait for each other: {waiting}; fit the detectors of one network on the other's outputs"
        raise ParamsError(f"{message}, or of the other on the one's, not both") from None


def _without_unread_labels(tasks: dict[str, Task]) -> dict[str, Task]:
    """Return the tasks, where a network's gradient norms are computed only for confounding labels that something reads."""
    read: dict[str, set[str]] = defaultdict(set)
    for task in tasks.values():
        for file in task.input_files:
            if tasks[file].step == "infer":
                read[file] |= labels_read(task, file)
    return {path: _with_labels(task, read[path]) if task.step == "infer" else task for path, task in tasks.items()}


def _with_labels(task: Task, names: set[str]) -> Task:
    labels = {name: block for name, block in task.settings["confounding"].items() if name in names}
    return replace(task, settings=task.settings | {"confounding": labels})


def labels_read(task: Task, path: str) -> set[str]:
    """Return the confounding labels whose gradient norms a task reads from a network's outputs."""
    match task.step:
        case "score" | "fit" | "evaluate":
            blocks = [task.settings["component"]]
        case "report":
            figures = task.settings["figures"].values()
            name = name_of(path)
            blocks = [one["component"] for one in figures if any(cell["file"] == name for cell in one["cells"])]
        case _:
            return set(task.settings.get("confounding", {}))
    return {block["label"] for block in blocks if block.get("label")}
