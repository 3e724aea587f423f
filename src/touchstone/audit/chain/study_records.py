"""The records of what lies in the folders of a study, and what is wrong with their form."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from touchstone import digests
from touchstone.audit.chain.findings import Finding, path_from
from touchstone.pipeline.planning.parts import Set
from touchstone.pipeline.planning.plan import Plan
from touchstone.provenance import job_folders, sidecar_files
from touchstone.provenance.folders import files_below
from touchstone.provenance.sidecar_files import Record

if TYPE_CHECKING:  # they import numpy
    from touchstone.pipeline.jobs import leakage
    from touchstone.records.nouns import ExampleSet

AGAIN = "delete the folder and run the study again"


def read_study(root: Path, plan: Plan) -> tuple[dict[str, Record], list[Finding]]:
    """Return the record of every artefact of a study's jobs and of its raw files, and what is wrong with their form."""
    records: dict[str, Record] = {}
    findings: list[Finding] = []
    files: dict[Path, set[str]] = defaultdict(set)
    for path in files_below(root / plan.folder):
        if path.name == digests.SNAKEMAKE_MARK:
            continue
        place = job_folders.split(path.relative_to(root).as_posix())
        if place is None:
            findings.append(Finding(path_from(root, path), "was made by no job; delete it"))
        else:
            files[place[0]].add(place[1])
    for folder, names in sorted(files.items()):
        own, wrong = _read_job(root, folder, names)
        records |= own
        findings += wrong
    for file in sorted(plan.layout.raw_folders):
        path = root / file
        recorded = sidecar_files.sidecar_path(path).is_file()
        if recorded:
            try:
                records[file] = whole(sidecar_files.read_sidecar(path))
            except ValueError as error:
                findings.append(Finding(file, f"its sidecar is unreadable: {error}"))
        if recorded != path.exists():
            gone = "is missing, but its sidecar exists"
            findings.append(Finding(file, gone if recorded else "has no sidecar, so its bytes cannot be checked"))
    return records, findings


def prepared_sets(
    plan: Plan, records: Mapping[str, Record], read: Callable[[str], ExampleSet | None]
) -> leakage.Prepared:
    """Return the example sets of a study, to compare which images they share.

    Args:
        plan: The plan of the study.
        records: The record of each artefact.
        read: Returns the set at a path; None if it cannot be read.
    """
    from touchstone.pipeline.jobs import leakage

    def file(name: str) -> str:
        return plan.layout.set_file(Set(name))

    def raw(source: str) -> str | None:
        return records.get(plan.layout.raw(source), {}).get("artefact")

    examples = plan.study["examples"]
    return leakage.Prepared(examples, lambda name: plan.tasks[file(name)].settings, lambda name: read(file(name)), raw)


def _read_job(root: Path, folder: Path, names: set[str]) -> tuple[dict[str, Record], list[Finding]]:
    """Return the records in the folder of a job, and what is wrong with their form.

    Args:
        root: The project's folder.
        folder: The folder of the job, from there.
        names: The files in it.
    """
    records: dict[str, Record] = {}
    sidecar, own = f"{folder}/{job_folders.SIDECAR}", names - {job_folders.SIDECAR}
    if own == names:
        beside = f"{len(own)} file{'s' * (len(own) > 1)} beside it"
        return {}, [Finding(sidecar, f"is missing, so {beside} cannot be checked; {AGAIN}")]
    findings = [*of_form(root, sidecar)]
    try:
        found = sidecar_files.read_folder(root / folder)
    except (ValueError, TypeError, AttributeError):
        return {}, findings
    for name, record in found.items():
        file = f"{folder}/{name}"
        try:
            records[file] = whole(record)
        except ValueError as error:
            findings.append(Finding(file, f"its record is damaged: {error}; {AGAIN}"))
        if name not in own and not (root / file).exists():
            findings.append(Finding(file, f"is missing, but its sidecar exists; {AGAIN}"))
    findings += [
        Finding(f"{folder}/{name}", "was made by no job: its folder's sidecar does not list it; delete it")
        for name in sorted(own - found.keys())
    ]
    return records, findings


def of_form(root: Path, file: str) -> Iterator[Finding]:
    """Yield what is wrong with the form of the sidecar in the folder of a job, of which a file is named."""
    place = job_folders.split(file)
    if place is None:
        return
    sidecar = root / place[0] / job_folders.SIDECAR
    try:
        problem = sidecar_files.folder_problem(root / place[0])
    except ValueError as error:
        problem = str(error).removeprefix(f"{sidecar}: ")
    except (KeyError, TypeError, AttributeError) as error:
        problem = f"its records are malformed: {error!r}"
    if problem:
        yield Finding(path_from(root, sidecar), f"{problem}; {AGAIN}")


def whole(record: Record) -> Record:
    """Return a record whose form is right.

    Raises:
        ValueError: Says what is wrong with its form.
    """
    if problem := sidecar_files.malformed(record):
        raise ValueError(problem)
    return record
