"""Functions for the Snakefile: the plan of the study, the inputs and params of rules, the environment of jobs."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any

from touchstone import __version__
from touchstone.digests import SNAKEMAKE_MARK
from touchstone.messages import nearest
from touchstone.pipeline.jobs import environment, job_plan
from touchstone.pipeline.orchestration import outdated_results, own_sources, spoilt_files
from touchstone.pipeline.planning.outline import STUDIES, outline_of
from touchstone.pipeline.planning.parts import FOLDER, RULES
from touchstone.provenance import store
from touchstone.provenance.job_folders import RESULTS, folder_of
from touchstone.provenance.sidecar_files import BESIDE
from touchstone.provenance.whole_files import write_whole
from touchstone.settings.files import DEFAULT_STUDY, ELSEWHERE, ParamsError, typed_path

CONFIG = ("study", "recompute", "container")
PATH = "TOUCHSTONE_PATH"  # the PYTHONPATH of jobs; Snakemake deletes PYTHONPATH itself for jobs in conda
Workflow = Any  # Snakemake's
Wildcards = Any  # Snakemake's mapping of names to values


def read_config(config: Mapping[str, Any]) -> tuple[str, str]:
    """Return the study and the rule to recompute ("" for none) of Snakemake's --config.

    Raises:
        ParamsError: A key or a rule is unknown.
    """
    for key in config:
        if key not in CONFIG:
            raise ParamsError(
                f"--config {key}=: there is no such setting; use {', '.join(CONFIG)}.{nearest(key, CONFIG)}"
            )
    study, rule = config.get("study", DEFAULT_STUDY), config.get("recompute") or ""
    if study in (None, ""):
        raise ParamsError(f"--config study=: no study is named; for example study={DEFAULT_STUDY}")
    if rule and rule not in RULES:
        known = f"use {', '.join(RULES)}.{nearest(str(rule), RULES)}"
        raise ParamsError(f"--config recompute={rule}: there is no such rule; {known}")
    return str(study), str(rule)


class PlannedStudy:
    """A study whose jobs are planned and written; what the rules ask of it.

    Args:
        study: The name of a study, or the path of its file.
        lock: The requirements file of the environment in which jobs will run; None for this environment.
        workflow: Snakemake's object of the workflow; None outside of Snakemake.
    """

    def __init__(self, study: str, lock: Path | None = None, workflow: Workflow | None = None) -> None:
        self._outline = outline_of(study, lock)
        self._workflow = workflow if workflow and workflow.is_main_process else None
        self._outdated = outdated_results.find(self._outline) if self._workflow else {}
        self.name = self._outline.name
        if study.endswith((".yaml", ".yml")):  # the commands that a report prints name the study only
            refuse_equal_name(typed_path(study))
            with suppress(OSError):
                write_whole(ELSEWHERE / self.name, str(typed_path(study)).encode(), lasting=False)
        self.settings = self._outline.settings
        self.unpinned = self._outline.unpinned
        self.pages = self._outline.pages
        refuse_older_version(self.name)

    def inputs(self, rule: str) -> Callable[[Wildcards], list[str]]:
        """Return the input function of a rule: the folders of the jobs that a job reads."""

        def folders(wildcards: Wildcards) -> list[str]:
            self._begin()
            return [folder_of(self.name, job) for job in self._outline.jobs[self._job(rule, wildcards)]]

        return folders

    def _begin(self) -> None:
        """Remove results that are spoilt or outdated, when the first rule asks for its inputs, if jobs will run.

        By then Snakemake says so. Commands that only look, such as --summary, have no executor.
        """
        workflow, self._workflow = self._workflow, None
        if workflow is None or workflow.executor_plugin is None or workflow.touch:
            return
        from snakemake.logging import logger  # the commands that do without Snakemake import this module, too

        spoilt = spoilt_files.find(self.name, Path("logs", self.name))
        told = spoilt_files.sentences(spoilt, removed=not workflow.dryrun)
        for sentence in (*told, *outdated_results.sentences(self.name, self._outdated)):
            logger.warning(sentence)
        if not workflow.dryrun:
            spoilt_files.remove(spoilt)
            outdated_results.remove(self.name, self._outdated)

    def folders(self, wildcards: Wildcards) -> list[str]:
        """Return the folders of the evaluations and, once these are there, of other jobs where one was deleted.

        Snakemake remakes what is missing only if something that has to run reads it.
        """
        self._begin()
        places = {
            job: folder_of(self.name, job)
            for job in self._outline.jobs
            if not job.startswith(outdated_results.BESIDE_RECORDS)
        }
        tables = [place for job, place in places.items() if job.startswith("evaluate/")]
        if not all(Path(table).is_dir() for table in tables):
            return tables
        return tables + [place for place in places.values() if not Path(place).is_dir()]

    def digest(self, rule: str) -> Callable[[Wildcards], str]:
        """Return the function of a rule's `plan` param: the digest of a job's plan. If it changes, the job runs again."""
        return lambda wildcards: self._outline.plans[self._job(rule, wildcards)]

    def own_files(self, wildcards: Wildcards) -> list[str]:
        """Return the list of the user's files that a source copies, so that a changed file is fetched again."""
        return own_sources.listed(self._outline.sources, self._job("fetch", wildcards).removeprefix("fetch/"))

    def _job(self, rule: str, wildcards: Wildcards) -> str:
        name = next(iter(dict(wildcards.items()).values()), self.name)
        if (job := f"{rule}/{name}") in self._outline.jobs:
            return job
        names = [job.removeprefix(f"{rule}/") for job in self._outline.jobs if job.startswith(f"{rule}/")]
        raise ParamsError(f"study {self.name} has no {rule} job called {name}.{nearest(name, names)}")


def refuse_equal_name(file: Path) -> None:
    """Raise ParamsError if another study of this name is in use here: both would write the same results and report."""
    kept = ELSEWHERE / file.stem
    others = [STUDIES / f"{file.stem}.yaml", *([Path(kept.read_text())] if kept.is_file() else [])]
    for other in others:
        if other.is_file() and not other.samefile(file):
            folders = f"results/{file.stem} and reports/{file.stem}"
            raise ParamsError(f"{file}: {other} is called {file.stem}, too, and both would write {folders}; rename one")


OLDER = ("attacked", "checkpoints", "detectors", "examples", "margins", "metrics", "outputs", "scores", "translated")


def refuse_older_version(study: str) -> None:
    """Raise ParamsError if touchstone before 1.0 has left its files of this study here."""
    folder = Path("data") / study
    found = [name for name in OLDER if (folder / name).is_dir()]
    if found:
        raise ParamsError(
            f"{folder / found[0]} was made by touchstone before 1.0, and {__version__} cannot read it: delete the folder"
            f" {folder}, and .touchstone, and run the study again"
        )


def move_back_future_times(study: str) -> None:
    """Set the times of what jobs have made to now, where they lie in the future because a clock was set back.

    Snakemake compares these times. A result from the future would be newer than all that is made of it, run after run.
    All get the same time, so none of them becomes newer than another.
    """
    now = time.time_ns()
    for path in chain(
        Path(RESULTS, study).glob(f"*/*/{SNAKEMAKE_MARK}"),
        Path("data/raw").glob(f"*/{SNAKEMAKE_MARK}"),
        Path("data/raw").glob(f"*{BESIDE}"),
        Path("reports", study).glob("*"),
        Path("reports", study).glob(f"figures/{SNAKEMAKE_MARK}"),
        own_sources.FOLDER.glob("*.json"),
    ):
        with suppress(OSError):  # another user's
            if path.stat().st_mtime_ns > now:
                os.utime(path, ns=(now, now))


def set_environment(lock: Path, threads: int, recompute: str = "") -> None:
    """Set the environment that jobs inherit: where they find the package, the plans and the store, and torch's settings.

    Snakemake's Python comes first on the path, so that .venv/bin/snakemake starts jobs with .venv/bin/python. A conda
    environment, which the job activates itself, still precedes it.

    Args:
        lock: The packages of the conda environment.
        threads: The threads of a torch job.
        recompute: The rule whose jobs compute what the store has, too.
    """
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    os.environ[PATH] = environment.python_path()
    os.environ["TOUCHSTONE_LOCK"] = str(lock)  # for the script that fills the conda environment
    results = Path(os.environ.get(store.VARIABLE) or store.FOLDER)
    os.environ.update(environment.places(FOLDER.resolve(), results.resolve()))
    os.environ[job_plan.RECOMPUTE] = recompute
    environment.set_environment(threads)
