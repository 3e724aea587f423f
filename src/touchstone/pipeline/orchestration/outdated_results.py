"""Results that are not of today's settings, code and data, and look finished to Snakemake.

Snakemake compares with its own records in .snakemake. These may be gone, and results may be put back from a backup, or
raw files by `dvc checkout`. So the records of the results themselves are compared with the plan.
"""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from touchstone import digests
from touchstone.pipeline.orchestration import own_sources
from touchstone.pipeline.planning.outline import Outline
from touchstone.pipeline.planning.parts import FOLDER, Task
from touchstone.provenance import job_folders, sidecar_files, whole_files
from touchstone.settings.files import ParamsError

SEEN = Path(".touchstone/current")  # per study: the digest of the states in which nothing was outdated
BESIDE_RECORDS = ("fetch/", "report/")  # jobs whose record lies beside what they make
Records = dict[str, dict[str, Any]]  # by the path of the artefact


def find(outline: Outline) -> dict[str, list[str]]:
    """Return the jobs with outdated results, as rule/name, by what the results are of.

    Raises:
        ParamsError: A source has to be fetched again, and its files are no longer where the study says.
    """
    seen, state = SEEN / outline.name, _state(outline)
    with suppress(OSError):
        if seen.read_text(encoding="utf-8") == state:
            return {}
    records = {job: _records(outline.name, job) for job in outline.plans}
    made = {path: record for each in records.values() for path, record in each.items()}
    found = defaultdict(list)
    for job, digest in outline.plans.items():
        if records[job] and (reason := _reason(digest, records[job], made)):
            _refuse_to_lose(outline, job)
            found[reason].append(job)
    if not found:
        whole_files.write_whole(seen, state.encode(), lasting=False)
    return dict(found)


def sentences(study: str, found: dict[str, list[str]]) -> Iterator[str]:
    """Yield a sentence for each reason."""
    for reason, jobs in found.items():
        more = f" and {len(jobs) - 1} more" if len(jobs) > 1 else ""
        yield f"{_place(study, jobs[0])}{more}: of {reason} than today's, so made again"


def remove(study: str, found: dict[str, list[str]]) -> None:
    """Remove outdated results, so that Snakemake makes them again.

    Of raw files and a report only the record is removed: Snakemake removes the files when it makes them again.
    """
    for job in (job for jobs in found.values() for job in jobs):
        if job.startswith(BESIDE_RECORDS):
            _sidecar(study, job).unlink()
        else:
            shutil.rmtree(_place(study, job))


def _reason(plan: str, records: Records, made: Records) -> str:
    """Return what a job's results were made of, and would not be now; "" if they are up to date."""
    tasks = [Task(**task) for task in json.loads((FOLDER / f"{plan}.json").read_bytes())["tasks"]]
    if records.keys() != {task.output for task in tasks}:
        return "other settings"
    for task in tasks:
        record = records[task.output]
        links = record["inputs"]
        files = {role: [link["file"] for link in links[role]] for role in links}
        if record["settings"] != task.settings or files != task.roles:
            return "other settings"
        if record["code"] != task.code:
            return "other code"
        for link in (link for role in links.values() for link in role):
            if link["file"] in made and made[link["file"]]["artefact"] != link["artefact"]:
                return "other data"
    return ""


def _records(study: str, job: str) -> Records:
    """Return the records of a job's results; none if there are no results, or their sidecar is damaged."""
    place = _place(study, job)
    try:
        if not job.startswith(BESIDE_RECORDS):
            return {f"{place}/{name}": record for name, record in sidecar_files.read_folder(place).items()}
        records = {str(place): sidecar_files.read_sidecar(place)} if place.exists() else {}
    except ValueError:
        return {}
    return {} if any(map(sidecar_files.malformed, records.values())) else records


def _place(study: str, job: str) -> Path:
    """Return the folder of a job; for a report, the page."""
    return (
        Path("reports", study, "report.html") if job.startswith("report/") else Path(job_folders.folder_of(study, job))
    )


def _sidecar(study: str, job: str) -> Path:
    place = _place(study, job)
    if job.startswith(BESIDE_RECORDS):
        return sidecar_files.sidecar_path(place)
    return place / job_folders.SIDECAR


def _refuse_to_lose(outline: Outline, job: str) -> None:
    """Raise ParamsError if a job would remove a copy of files that are nowhere else."""
    rule, _, source = job.partition("/")
    place = own_sources.place(outline.sources[source]) if rule == "fetch" else None
    if place is not None and not place.exists():
        raise ParamsError(
            f"data/raw/{source} has a copy of files that were at another place or fetched by other settings, and there is"
            f" nothing at {place} any more: put the files back there, or copy data/raw/{source} to that place"
        )


def _state(outline: Outline) -> str:
    """Return a digest that changes with the plan, or with the file of any record."""
    state = []
    for job, plan in sorted(outline.plans.items()):
        with suppress(OSError):
            seen = _sidecar(outline.name, job).stat()
            state.append([job, plan, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino])
    return digests.sha256(json.dumps(state).encode())
