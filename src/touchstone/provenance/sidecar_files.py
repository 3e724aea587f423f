"""Sidecars: the files that record what each artefact was made from.

A record contains the digest of the artefact's bytes, the step, its settings, inputs, code and environment. The folder of
a job has one sidecar, with a record for each artefact. Raw files and a report have a sidecar beside them, which is their
record.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NoReturn

from touchstone.digests import canonical, file_digest, folder_digest, sha256
from touchstone.provenance import job_folders
from touchstone.provenance.whole_files import write_whole

BESIDE = ".prov.json"  # the ending of a sidecar beside an artefact
FACTS = {  # of a record
    **{"artefact": str, "step": str, "settings": dict, "inputs": dict},
    **{"code": str, "definitions": dict, "packages": dict},
}
CODE = ("definitions", "packages")  # the facts that records with the same code share
LINK = {"file", "artefact", "sidecar"}
Record = dict[str, Any]


class DamagedSidecar(ValueError):
    """The bytes of a sidecar are not what a job writes; the message names the file."""


def sidecar_path(path: Path) -> Path:
    """Return the path of the sidecar that has the record of an artefact."""
    place = job_folders.split(path)
    return place[0] / job_folders.SIDECAR if place else path.with_name(path.name + BESIDE)


def read_sidecar(path: Path) -> Record:
    """Return the record of an artefact.

    Raises:
        ValueError: The sidecar is missing or unreadable, or has no record of the artefact.
    """
    sidecar, place = sidecar_path(path), job_folders.split(path)
    content = _read(sidecar, path)
    return record_of(sidecar, content, place[1]) if place else content


def read_folder(folder: Path) -> dict[str, Record]:
    """Return {path within the folder: record} of a job's folder.

    Raises:
        ValueError: The sidecar is missing or unreadable.
    """
    sidecar = folder / job_folders.SIDECAR
    content = _read(sidecar, folder)
    if not isinstance(content.get("members"), dict):
        raise DamagedSidecar(f"{sidecar}: not a sidecar: it has no records")
    return {name: record_of(sidecar, content, name) for name in content["members"]}


def _read(sidecar: Path, path: Path) -> Record:
    try:
        seen = sidecar.stat()
        return _content(str(sidecar), seen.st_mtime_ns, seen.st_size, seen.st_ino)
    except (FileNotFoundError, NotADirectoryError):
        raise ValueError(f"{sidecar}: missing, so {path} cannot be verified") from None
    except IsADirectoryError:
        raise DamagedSidecar(f"{sidecar}: not a sidecar: it is a folder") from None


@lru_cache(maxsize=4096)
def _content(path: str, changed: int, size: int, inode: int) -> Record:
    return parse_sidecar(Path(path), Path(path).read_bytes())


def parse_sidecar(sidecar: Path, data: bytes) -> Record:
    """Return what a sidecar holds from its bytes; `sidecar` is its path.

    Raises:
        DamagedSidecar: The bytes are not a sidecar.
    """
    try:
        content = json.loads(data, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:  # also bytes that are not UTF-8
        raise DamagedSidecar(f"{sidecar}: invalid JSON: {error}") from None
    if not isinstance(content, dict):
        raise DamagedSidecar(f"{sidecar}: not a sidecar: expected a JSON object")
    if "artefact" not in content and "members" not in content:
        raise DamagedSidecar(f"{sidecar}: not a sidecar: it has no digest of the artefact")
    return content


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a JSON number")


def record_of(sidecar: Path, content: Record, member: str) -> Record:
    """Return the record of an artefact from what the sidecar of its job holds.

    Raises:
        ValueError: The sidecar has no such record.
    """
    try:
        record = content["members"][member]
        return {**record, **content["code"][record["code"]]}
    except (KeyError, TypeError):
        raise ValueError(f"{sidecar}: has no record of {member}") from None


def malformed(record: Record) -> str:
    """Return what is wrong with the form of a record, or ""."""
    for name, kind in FACTS.items():
        if not isinstance(record.get(name), kind):
            return f"{name} is missing or malformed"
    for role, links in record["inputs"].items():
        if not isinstance(links, list) or not all(isinstance(link, dict) and link.keys() == LINK for link in links):
            return f"its links to {role} are malformed"
        if not all(isinstance(text, str) for link in links for text in link.values()):
            return f"its links to {role} are malformed"
    return ""


def exists(path: Path) -> bool:
    """Return whether an artefact and its record exist."""
    try:
        return path.exists() and bool(read_sidecar(path))
    except ValueError:
        return False


def record_digest(path: Path) -> str:
    """Return the digest of an artefact's record."""
    return digest_of_record(read_sidecar(path))


def digest_of_record(record: Record) -> str:
    """Return the digest of a record without its list of definitions, which serves only to say what differs."""
    return sha256(canonical({name: value for name, value in record.items() if name != "definitions"}).encode())


def artefact_digest(path: Path) -> str:
    """Return the digest of an artefact's bytes on disk."""
    return folder_digest(path) if path.is_dir() else file_digest(path)


def write_sidecar(path: Path, digest: str, facts: Record) -> None:
    """Write the sidecar beside an artefact.

    Args:
        path: The artefact.
        digest: The digest of its bytes.
        facts: The rest of its record.
    """
    write_whole(path.with_name(path.name + BESIDE), as_bytes({"artefact": digest, **facts}))


def write_job_sidecar(folder: Path, records: Mapping[str, Record]) -> None:
    """Write the sidecar of a job's folder.

    Args:
        folder: The folder.
        records: The record of each artefact, by its path within the folder. Records with the same code share its facts.
    """
    code = {record["code"]: {name: record[name] for name in CODE} for record in records.values()}
    short = {name: {key: record[key] for key in record if key not in CODE} for name, record in records.items()}
    content = {"members": short, "code": code, "records": digest_of_records(short, code)}
    write_whole(folder / job_folders.SIDECAR, as_bytes(content))


def as_bytes(content: Record) -> bytes:
    """Return the bytes of a sidecar."""
    return (canonical(content) + "\n").encode()


def digest_of_records(members: Any, code: Any) -> str:
    """Return the digest of all records in a job's sidecar.

    No link covers the record of an artefact that no job reads, so the sidecar contains this digest.
    """
    return sha256(canonical([members, code]).encode())


def folder_problem(folder: Path) -> str:
    """Return what is wrong with the form of a job's sidecar, or "". The bytes of the artefacts are not checked."""
    sidecar = folder / job_folders.SIDECAR
    content = _read(sidecar, folder)
    if sidecar.read_bytes() != as_bytes(content) or set(content) != {"members", "code", "records"}:
        return "its sidecar was edited: no job writes this form"
    if content["records"] != digest_of_records(content["members"], content["code"]):
        return "its sidecar was edited: the digest of its records does not match them"
    if {record["code"] for record in content["members"].values()} != set(content["code"]):
        return "its sidecar was edited: its lists of definitions do not match its records"
    return ""
