"""Take the verified results of another machine into the store here; each record says where it comes from."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path

from touchstone.evidence.selection import Selection
from touchstone.pipeline.auditing import other_code
from touchstone.pipeline.jobs.artefacts import OF_COMPUTER, Artefacts
from touchstone.pipeline.jobs.job_plan import JobPlan
from touchstone.pipeline.planning.parts import Task
from touchstone.pipeline.provenance import chain, code, job_folders, sidecar_files
from touchstone.pipeline.provenance.store import Result, Store
from touchstone.records import encoding
from touchstone.records.nouns import LeftOut


def adopt(selection: Selection, folder: Path, evidence: str) -> int:
    """Write the results of a verified, unpacked evidence file to the store, with a mark in their records.

    The jobs of the study find them there. The mark changes the digest of a record, and so those of all records after it:
    a study with adopted results has another root digest than one without.

    Args:
        selection: The study of the project; its settings are those of the evidence.
        folder: The unpacked evidence.
        evidence: Its digest, the mark.

    Returns:
        The number of results that were written; those that the store has already are kept.

    Raises:
        ValueError: Something is missing here or there, was made by other code, or differs from what the store has.
            Nothing was written.
    """
    artefacts = _unpacked(selection, folder)
    tasks = [_with_code(selection.tasks[file]) for file in selection.files]
    problems = list(_missing_raw(selection, folder))
    for task in tasks:
        problems += _in_the_way(task, artefacts)
    if problems:
        raise ValueError("nothing was adopted:\n" + "\n".join(problems[:10]))
    lacking = [task for task in tasks if _own(task, artefacts) is None]
    for task in lacking:
        _keep(task, artefacts, evidence)
    return len(lacking)


def check_raw(selection: Selection, raw: Collection[str]) -> None:
    """Check that every clean set can be prepared again, which alone reveals labels that were swapped everywhere.

    Args:
        selection: The study of the project.
        raw: The sources whose raw files the project has.

    Raises:
        ValueError: Lists the raw files that are missing, and how to fetch them.
    """
    needed = [task.inputs["folder"] for task in selection.tasks.values() if "folder" in task.inputs]
    missing = [str(file) for file in dict.fromkeys(map(str, needed)) if Path(file).name not in raw]
    if missing:
        lines = [_not_here(selection, file) for file in missing[:10]]
        raise ValueError("nothing was adopted, because clean sets cannot be prepared again:\n" + "\n".join(lines))


def _not_here(selection: Selection, file: str) -> str:
    study = selection.plan.study.name
    return f"{file}: is not here; fetch it first: snakemake --cores 1 --config study={study} -- {file}"


def _unpacked(selection: Selection, folder: Path) -> Artefacts:
    """Return the artefacts of an unpacked evidence file, with the store of the project."""
    study = selection.plan.study.name
    names = [job_folders.folder_of(study, str(job)) for job in selection.plan.jobs.values()]
    return Artefacts(JobPlan(study, "", "", (), {name: folder / name for name in names}, {}), Store(study))


def _with_code(task: Task) -> Task:
    return replace(task, code=code.code_of(task.step, task.settings).digest)


def _missing_raw(selection: Selection, folder: Path) -> Iterator[str]:
    """Yield the raw files that the project lacks, or has in another version."""
    for file, task in selection.tasks.items():
        if task.step != "fetch":
            continue
        if not sidecar_files.exists(Path(file)):
            yield _not_here(selection, file)
        elif (
            sidecar_files.read_sidecar(folder / file)["artefact"] != sidecar_files.read_sidecar(Path(file))["artefact"]
        ):
            yield f"{file}: holds other raw files than the evidence was made from"


def _in_the_way(task: Task, artefacts: Artefacts) -> Iterator[str]:
    """Yield why a result cannot be adopted."""
    path = artefacts.path(task.output)
    if not path.is_file():
        yield f"{task.output}: is not in the evidence; ask for evidence of all claims, with weights"
        return
    record = sidecar_files.read_sidecar(path)
    if record["code"] != task.code:
        changed = ", ".join(other_code.names(record))
        yield f"{task.output}: was created by other code than is installed here ({changed}); install that version"
    elif (own := _own(task, artefacts)) is not None and own.record["artefact"] != record["artefact"]:
        yield f"{task.output}: the store has it already, with other bytes; delete {own.path} to adopt this one"


def _own(task: Task, artefacts: Artefacts) -> Result | None:
    """Return what the store has of a task."""
    return artefacts.store.find(_rule(task), artefacts.key(task), job_folders.name_of(task.output))


def _keep(task: Task, artefacts: Artefacts, evidence: str) -> None:
    """Write a result to the store."""
    path = artefacts.path(task.output)
    record, data = sidecar_files.read_sidecar(path), path.read_bytes()
    facts = {name: record[name] for name in OF_COMPUTER if name in record}
    if task.step != "evaluate" and isinstance(encoding.decode(data), LeftOut):
        facts["left_out"] = True
    facts |= {"name": job_folders.name_of(task.output), "settings": task.settings, chain.ADOPTED: evidence}
    artefacts.store.keep(_rule(task), artefacts.key(task), data, facts)


def _rule(task: Task) -> str:
    """Return the rule of the workflow whose job would make a result: its folder in the store."""
    return job_folders.job_of(task.output)[0]
