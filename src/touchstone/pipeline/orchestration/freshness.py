"""Decide whether a study is finished, as Snakemake would, without starting it.

Snakemake takes seconds to start and to build its graph of 700 jobs. This check says yes only if both conditions hold:

- Snakemake would run no job. After the same restore, each job is compared by the triggers that profiles/default enables:
  params, inputs, times with checksums, and incomplete files.
- Snakemake has succeeded before under the same workflow files, so no change to those files is overlooked.

A test compares both answers for every case of the rerun table.
"""

from __future__ import annotations

import os
from importlib.metadata import version
from pathlib import Path

from touchstone import digests
from touchstone.pipeline.jobs import processes
from touchstone.pipeline.orchestration import rules
from touchstone.pipeline.orchestration.restore import checksum, params_of, record_name
from touchstone.pipeline.orchestration.restored import Finished, Restored
from touchstone.pipeline.planning.plan import Plan, settings_digest
from touchstone.pipeline.provenance import whole_files

INCOMPLETE = Path(".snakemake/incomplete")  # one file per output of a job that Snakemake started and did not see end
VOUCHED = Path(".touchstone/vouched")
WORKFLOW = (
    "Snakefile",
    "workflow/Snakefile",
    "profiles/default/*",
    "workflow/*.smk",
    "workflow/rules/*.smk",
    "workflow/envs/*",
)


def nothing_to_do(plan: Plan, restored: Restored, root: Path = Path()) -> bool:
    """Return whether Snakemake would consider every job of the study up to date.

    Args:
        plan: The plan of the study.
        restored: What `restore` has just returned for it.
        root: The project's folder.
    """
    jobs = plan.jobs()
    if len(restored.finished) != len(jobs) or _interrupted(restored, root):
        return False
    if not all((root / page).exists() for page in plan.layout.more_pages):
        return False
    files = _Files(root)
    # The cheapest check comes first: it detects a changed setting without looking at a file.
    return all(_same_request(plan, job) for job in restored.finished) and all(map(files.current, restored.finished))


def _interrupted(restored: Restored, root: Path) -> bool:
    """Return whether Snakemake started a job of this study and did not see it end.

    Other studies may be running in the same folder.
    """
    incomplete = {path.relative_to(root / INCOMPLETE).as_posix() for path in (root / INCOMPLETE).rglob("*")}
    return bool(incomplete) and any(record_name(file) in incomplete for job in restored.finished for file in job.kept)


def _same_request(plan: Plan, job: Finished) -> bool:
    """Return whether the job would have the params and inputs of its record today."""
    tasks, code = plan.tasks(job.rule, **job.wildcards), rules.code_of_job(plan, job.rule, job.wildcards)
    if job.record["params"] != params_of(job.rule, settings_digest(tasks), code):
        return False
    return bool(job.record["input"] == sorted(rules.inputs(plan, job.rule)(job.wildcards)))


class _Files:
    """Times and digests of files, each looked up once."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._times: dict[str, tuple[int, int]] = {}
        self._digests: dict[str, str] = {}

    def current(self, job: Finished) -> bool:
        """Return whether each input is older than the outputs, or has the recorded digest."""
        written = min(self._span(file)[0] for file in job.kept)
        newer = (file for file in job.record["input"] if self._span(file)[1] > written)
        return all(self._digest(file) == job.record["input_checksums"].get(file) for file in newer)

    def _span(self, file: str) -> tuple[int, int]:
        """Return the earliest and the latest modification time of a file.

        A link counts with its target, and a folder with Snakemake's mark in it.
        """
        if file not in self._times:
            path = self._root / file
            times = [path.lstat().st_mtime_ns, path.stat().st_mtime_ns]
            if path.is_dir() and (mark := path / digests.SNAKEMAKE_MARK).exists():
                times.append(mark.stat().st_mtime_ns)
            self._times[file] = min(times), max(times)
        return self._times[file]

    def _digest(self, file: str) -> str:
        if file not in self._digests:
            self._digests[file] = checksum(digests.file_digest(self._root / file))
        return self._digests[file]


def enough_cores(cores: str, threads: int) -> bool:
    """Return whether there are enough cores for one job's threads.

    If not, Snakemake reports the error.

    Args:
        cores: "all", or a number.
        threads: The threads of a torch job.
    """
    if cores == "all":
        return processes.available_cores() >= threads
    return cores.isdigit() and int(cores) >= threads


def vouch(study: str, workflow: str, root: Path = Path()) -> None:
    """Record that Snakemake succeeded with the study.

    Args:
        study: The study's name.
        workflow: The `workflow_digest` from before the run, since an edit during the run was not run.
        root: The project's folder.
    """
    whole_files.write_whole(root / VOUCHED / study, workflow.encode(), lasting=False)


def vouched(study: str, root: Path = Path()) -> bool:
    """Return whether Snakemake succeeded with the study under today's workflow files.

    Return False if the environment configures Snakemake, since that can change the plan.
    """
    if any(name.startswith("SNAKEMAKE_") for name in os.environ):  # such as the user's profile
        return False
    path = root / VOUCHED / study
    return path.is_file() and path.read_text() == workflow_digest(root)


def workflow_digest(root: Path = Path()) -> str:
    """Return one digest of the workflow's files and Snakemake's version."""
    files = sorted(path for pattern in WORKFLOW for path in root.glob(pattern) if path.is_file())
    names = {path.relative_to(root).as_posix(): digests.file_digest(path) for path in files}
    return digests.sha256(digests.canonical({"files": names, "snakemake": version("snakemake")}).encode())
