"""Take the verified results of another machine into a study here; each record says where it comes from."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from touchstone.evidence.selection import Selection
from touchstone.pipeline.auditing import other_code
from touchstone.pipeline.provenance import chain, sidecar_files, whole_files
from touchstone.pipeline.provenance.addresses import Address, files_of

Record = dict[str, Any]


def adopt(selection: Selection, folder: Path, evidence: str, root: Path = Path()) -> list[str]:
    """Copy the artefacts of a verified, unpacked evidence file into the project, and mark their records.

    The mark changes the digest of a record, and so those of all records after it: a study with adopted results has another
    root digest than one without.

    Args:
        selection: The study of the project; its settings are those of the evidence.
        folder: The unpacked evidence.
        evidence: Its digest, the mark.
        root: The project's folder.

    Returns:
        The files that were written; files that the project has already are kept.

    Raises:
        ValueError: Something is missing here or there, was made by other code, or differs from what the project has.
            Nothing was written.
    """
    files = [file for file in selection.addresses if file in selection.tasks]
    _check(selection, files, folder, root)
    records = _marked(files, folder, evidence, root)
    written = files_of(records)
    for name in written:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        with whole_files.replaced(root / name) as temporary:
            shutil.copyfile(folder / name, temporary)
        own = {file: record for file, record in records.items() if Address.parse(file).file == name}
        if Address.parse(next(iter(own))).member:
            kept = (file for file in files if Address.parse(file).file == name and file not in own)
            own |= {file: sidecar_files.read_sidecar(root / file) for file in kept}
            sidecar_files.write_bundle_sidecar(
                root / name, {Address.parse(file).member: one for file, one in own.items()}
            )
        else:
            (record,) = own.values()
            facts = {key: value for key, value in record.items() if key != "artefact"}
            sidecar_files.write_sidecar(root / name, record["artefact"], facts)
    return written


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


def _marked(files: list[str], folder: Path, evidence: str, root: Path) -> dict[str, Record]:
    """Return the new records of the artefacts that the project lacks, each linked to the new records of its inputs."""
    records: dict[str, Record] = {}
    digests_of: dict[str, str] = {}  # {artefact: the digest of its record in the project}
    waiting = files[::-1]
    while waiting:
        file = waiting[-1]
        if file in digests_of:
            waiting.pop()
            continue
        # A file without a sidecar is what an interrupted `adopt` left.
        if sidecar_files.exists(root / file) and sidecar_files.sidecar_path(root / file).exists():
            digests_of[file] = sidecar_files.record_digest(root / file)
            continue
        record = sidecar_files.read_sidecar(folder / file)
        if behind := [link["file"] for link in chain.links(record) if link["file"] not in digests_of]:
            waiting += behind
            continue
        links = {
            role: [link | {"sidecar": digests_of[link["file"]]} for link in group]
            for role, group in record["inputs"].items()
        }
        records[file] = {**record, "inputs": links, chain.ADOPTED: evidence}
        whole = sidecar_files.digest_of_record if Address.parse(file).member else sidecar_files.digest_of_whole
        digests_of[file] = whole(records[file])
    return records


def _check(selection: Selection, files: list[str], folder: Path, root: Path) -> None:
    """Check, before anything is written, that all of it can be adopted.

    Raises:
        ValueError: Lists what is in the way.
    """
    problems = [
        *_missing_raw(selection, folder, root),
        *_conflicts(files, folder, root),
        *_other_code(selection, files, folder),
    ]
    if problems:
        raise ValueError("nothing was adopted:\n" + "\n".join(problems[:10]))


def _missing_raw(selection: Selection, folder: Path, root: Path) -> Iterator[str]:
    """Yield the raw files that the project lacks, or has in another version."""
    for file, task in selection.tasks.items():
        if task.step != "fetch":
            continue
        if not sidecar_files.exists(root / file):
            yield _not_here(selection, file)
        elif (
            sidecar_files.read_sidecar(folder / file)["artefact"] != sidecar_files.read_sidecar(root / file)["artefact"]
        ):
            yield f"{file}: holds other raw files than the evidence was made from"


def _conflicts(files: list[str], folder: Path, root: Path) -> Iterator[str]:
    for name in files_of(files):
        if not (folder / name).is_file():
            yield f"{name}: is not in the evidence; ask for evidence of all claims, with weights"
    for file in files:
        if sidecar_files.exists(root / file):
            own, other = (
                sidecar_files.artefact_digest(root / file),
                sidecar_files.read_sidecar(folder / file)["artefact"],
            )
            if own != other:
                yield f"{file}: the project has it already, with other bytes; delete that file to adopt this one"


def _other_code(selection: Selection, files: list[str], folder: Path) -> Iterator[str]:
    """Yield the artefacts that today's code would make again."""
    for file in files:
        if changed := other_code.names(sidecar_files.read_sidecar(folder / file)):
            yield f"{file}: was created by other code than is installed here ({', '.join(changed)}); install that version"
