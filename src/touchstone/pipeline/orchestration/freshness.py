"""Is a study finished? Answered as Snakemake would, without it: its start and its graph of 700 jobs take seconds.

It says yes only where a Snakemake would do nothing: the same restore has been done, and then each job is held to what
profiles/default lets Snakemake rerun for (params, inputs, times with checksums, incomplete files). And only where a
Snakemake ended well under the same workflow files, so that what is changed in those is never overlooked. A test compares
both answers over every case of the table of reruns.
"""

from __future__ import annotations

import os
from importlib.metadata import version
from pathlib import Path

from touchstone import digests
from touchstone.pipeline.orchestration import rules
from touchstone.pipeline.orchestration.restore import Finished, Restored, params_of, record_name
from touchstone.pipeline.planning.plan import Plan
from touchstone.pipeline.provenance import whole_files

INCOMPLETE = Path(".snakemake/incomplete")  # one file per output of a job that Snakemake began and did not see end
VOUCHED = Path(".touchstone/vouched")
WORKFLOW = ("Snakefile", "profiles/default/*", "workflow/*.smk", "workflow/rules/*.smk", "workflow/envs/*")


def nothing_to_do(plan: Plan, restored: Restored, root: Path = Path()) -> bool:
    """Return whether Snakemake would find every job of the study done and current, right after that restore."""
    jobs = plan.jobs()
    if len(restored.finished) != len(jobs) or _interrupted(restored, root):
        return False
    if not all((root / page).exists() for page in plan.more_pages):
        return False
    files = _Files(root)
    # What costs least first: a changed setting is found before any file is looked at.
    return all(_asked_alike(plan, job) for job in restored.finished) and all(map(files.current, restored.finished))


def _interrupted(restored: Restored, root: Path) -> bool:
    """Return whether Snakemake began a job of the study and did not see it end; other studies may be at work meanwhile."""
    found = {path.relative_to(root / INCOMPLETE).as_posix() for path in (root / INCOMPLETE).rglob("*")}
    return bool(found) and any(record_name(file) in found for job in restored.finished for file in job.kept)


def _asked_alike(plan: Plan, job: Finished) -> bool:
    """Return whether the job would be asked for today with the params and the inputs of its record."""
    if job.record["params"] != params_of(job.rule, *rules.digests_of_job(plan, job.rule, job.wildcards)):
        return False
    return bool(job.record["input"] == sorted(rules.inputs(plan, job.rule)(job.wildcards)))


class _Files:
    """Times and digests of files, each looked up once."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._times: dict[str, tuple[int, int]] = {}
        self._digests: dict[str, str] = {}

    def current(self, job: Finished) -> bool:
        """Return whether each input is older than what the job made, or has the bytes that its record names."""
        made = min(self._span(file)[0] for file in job.kept)
        newer = (file for file in job.record["input"] if self._span(file)[1] > made)
        return all(self._digest(file) == job.record["input_checksums"].get(file) for file in newer)

    def _span(self, file: str) -> tuple[int, int]:
        """Return when a file was changed first and last: of a link itself and what it leads to, of a folder its mark too."""
        if file not in self._times:
            path = self._root / file
            found = [path.lstat().st_mtime_ns, path.stat().st_mtime_ns]
            if path.is_dir() and (mark := path / digests.SNAKEMAKE_MARK).exists():
                found.append(mark.stat().st_mtime_ns)
            self._times[file] = min(found), max(found)
        return self._times[file]

    def _digest(self, file: str) -> str:
        if file not in self._digests:
            self._digests[file] = digests.file_digest(self._root / file)
        return self._digests[file]


def enough(cores: str, threads: int) -> bool:
    """Return whether a study may run on that many cores: "all", or a number. Snakemake tells what is wrong if not."""
    if cores == "all":
        available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return available >= threads
    return cores.isdigit() and int(cores) >= threads


def vouch(study: str, root: Path = Path()) -> None:
    """Write down that a Snakemake ended well with the study under today's workflow files."""
    whole_files.write_whole(root / VOUCHED / study, _workflow(root).encode(), lasting=False)


def vouched(study: str, root: Path = Path()) -> bool:
    """Return whether a Snakemake ended well with the study under today's workflow files, and none is told otherwise."""
    if any(name.startswith("SNAKEMAKE_") for name in os.environ):  # a profile of the user's
        return False
    path = root / VOUCHED / study
    return path.is_file() and path.read_text() == _workflow(root)


def _workflow(root: Path) -> str:
    """Return one digest of all that says how Snakemake plans, besides the study: the workflow's files, its version."""
    files = sorted(path for pattern in WORKFLOW for path in root.glob(pattern) if path.is_file())
    names = {path.relative_to(root).as_posix(): digests.file_digest(path) for path in files}
    return digests.sha256(digests.canonical({"files": names, "snakemake": version("snakemake")}).encode())
