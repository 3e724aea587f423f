"""Files of finished jobs that were deleted, replaced or written into: Snakemake sees only that they are there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from touchstone.digests import SNAKEMAKE_MARK, file_digest
from touchstone.pipeline.jobs import run_records
from touchstone.provenance import job_folders, sidecar_files

PAGE = "report.html"


def find(study: str, logs: Path) -> dict[Path, str]:
    """Return what is spoilt, and what is wrong with it: folders of jobs, and the record of a report.

    Args:
        study: The name of the study.
        logs: The folder of its run records.
    """
    found = {}
    page = Path("reports", study, PAGE)
    if problem := _problem_of_report(page, run_records.page_of(logs, study)):
        found[sidecar_files.sidecar_path(page)] = problem
    for mark in sorted(Path(job_folders.RESULTS, study).glob(f"*/*/{SNAKEMAKE_MARK}")):
        folder = mark.parent
        if problem := _problem(folder, mark.stat().st_mtime_ns):
            found[folder] = problem
    return found


def sentences(found: Mapping[Path, str], *, removed: bool = True) -> Iterator[str]:
    """Yield a sentence about each, which says that it was removed, unless a command only looks."""
    for path, problem in found.items():
        is_report = path.name == PAGE + sidecar_files.BESIDE
        what = f"{path.with_name(PAGE)} is" if is_report else f"{path} {'was removed and ' * removed}is"
        yield f"{what} made again: {problem}"


def remove(found: Iterable[Path]) -> None:
    """Remove what is spoilt, so that its job runs again and takes from the store what is whole.

    Of a report only the record is removed: the page stays until it is made again.
    """
    for path in found:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def _problem_of_report(page: Path, made: str | None) -> str:
    """Return what is wrong with a report; "" if nothing is, or if it or its record is missing, which Snakemake sees.

    Args:
        page: The report.
        made: The digest of the report that the last run here made; None if that is not known.
    """
    try:
        record = sidecar_files.read_sidecar(page)
    except ValueError:
        return ""
    if made not in (None, record.get("artefact")):
        return "another was put in its place since the last run here"
    pages = record.get("pages")
    if not isinstance(pages, dict):
        return "its record is damaged"
    for name, digest in {page.name: record.get("artefact"), **pages}.items():
        with suppress(OSError):
            if file_digest(page.parent / name) != digest:
                return f"the bytes of {name} do not match its record"
    return ""


def _problem(folder: Path, finished: int) -> str:
    """Return what is wrong with the folder of a job; "" if nothing is, or if nothing in it changed since it was finished."""
    if (folder / job_folders.SIDECAR).is_file() and max(_times(folder)) <= finished:
        return ""
    try:
        records = sidecar_files.read_folder(folder)
        problem = sidecar_files.folder_problem(folder)
    except ValueError as error:
        return str(error)
    for name, record in records.items():
        path = folder / name
        if not path.is_file():
            return f"{name} is missing"
        with suppress(OSError):
            if path.stat().st_mtime_ns > finished and file_digest(path) != record.get("artefact"):
                return f"the bytes of {name} do not match its record"
    return problem


def _times(folder: Path) -> Iterator[int]:
    """Yield when each file and folder in a folder was changed; every run asks for all of them, so not through Path."""
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            yield os.lstat(f"{place}/{name}").st_mtime_ns
