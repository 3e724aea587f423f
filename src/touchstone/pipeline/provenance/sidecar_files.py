"""Sidecars: the files that record what each artefact was made from.

A record contains the digest of the artefact's bytes, the step, its settings, inputs, code and environment. The sidecar
of a whole file is its record. The sidecar of a bundle contains one record for each member.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NoReturn

from touchstone.digests import canonical, file_digest, folder_digest, sha256
from touchstone.pipeline.provenance import bundles
from touchstone.pipeline.provenance.addresses import Address
from touchstone.pipeline.provenance.whole_files import write_whole

SIDECAR = ".prov.json"
FACTS = {  # of a record
    **{"artefact": str, "step": str, "settings": dict, "inputs": dict},
    **{"code": str, "definitions": dict, "packages": dict},
}
LINK = {"file", "artefact", "sidecar"}
Record = dict[str, Any]


class DamagedSidecar(ValueError):
    """The bytes of a sidecar are not what a job writes; the message names the file."""


def sidecar_path(path: Path) -> Path:
    """Return the path of the sidecar of an artefact or of its bundle."""
    path = Path(Address.parse(path).file)
    return path.with_name(path.name + SIDECAR)


def read_sidecar(path: Path) -> Record:
    """Return the record of an artefact; for a whole bundle, its sidecar.

    Raises:
        ValueError: The sidecar is missing or unreadable, or has no record of the member.
    """
    sidecar = sidecar_path(path)
    try:
        seen = sidecar.stat()
        content = _content(str(sidecar), seen.st_mtime_ns, seen.st_size, seen.st_ino)
    except (FileNotFoundError, NotADirectoryError):
        raise ValueError(f"{sidecar}: missing, so {path} cannot be verified") from None
    member = Address.parse(path).member
    return record_of(path, content, member) if member else content


@lru_cache(maxsize=4096)
def _content(path: str, changed: int, size: int, inode: int) -> Record:
    artefact = Path(path.removesuffix(SIDECAR))
    return parse_sidecar(artefact, Path(path).read_bytes())


def parse_sidecar(path: Path, data: bytes) -> Record:
    """Return the sidecar of the artefact at `path` from the sidecar's bytes.

    Raises:
        DamagedSidecar: The bytes are not a sidecar.
    """
    try:
        content = json.loads(data, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:  # also bytes that are not UTF-8
        raise DamagedSidecar(f"{sidecar_path(path)}: invalid JSON: {error}") from None
    if not isinstance(content, dict):
        raise DamagedSidecar(f"{sidecar_path(path)}: not a sidecar: expected a JSON object")
    if "artefact" not in content:
        raise DamagedSidecar(f"{sidecar_path(path)}: not a sidecar: it has no digest of the artefact")
    return content


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a JSON number")


def record_of(path: Path, content: Record, member: str) -> Record:
    """Return the record of a member from its bundle's sidecar.

    Raises:
        ValueError: The sidecar has no such record.
    """
    try:
        record = content["members"][member]
        return {**record, "definitions": content["definitions"][record["code"]]}
    except (KeyError, TypeError):
        raise ValueError(f"{sidecar_path(path)}: has no record of the member {member}") from None


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


def members(path: Path) -> list[str]:
    """Return the members in a bundle's sidecar; none for a whole file."""
    names = read_sidecar(Path(Address.parse(path).file)).get("members", {})
    return list(names) if isinstance(names, dict) else []


def addresses(path: Path) -> list[str]:
    """Return the addresses of the artefacts at a path: of a whole bundle, those of its members."""
    names = [] if Address.parse(path).member else members(path)
    return [str(Address(str(path), name)) for name in names] or [str(path)]


def exists(path: Path) -> bool:
    """Return whether an artefact exists.

    A member exists if its bundle's sidecar records it.
    """
    address = Address.parse(path)
    if not Path(address.file).exists():
        return False
    try:
        return not address.member or address.member in members(path)
    except ValueError:
        return False


def record_digest(path: Path) -> str:
    """Return the digest of an artefact's record.

    For a whole file, this is the digest of its sidecar's bytes.
    """
    if not Address.parse(path).member:
        return file_digest(sidecar_path(path))
    return digest_of_record(read_sidecar(path))


def digest_of_record(record: Record) -> str:
    """Return the digest of a member's record without its list of definitions, which serves only to say what differs."""
    return sha256(canonical({name: value for name, value in record.items() if name != "definitions"}).encode())


def digest_of_whole(record: Record) -> str:
    """Return the digest of the sidecar that a whole file with this record has."""
    return sha256(_as_bytes(record))


def _as_bytes(record: Record) -> bytes:
    return (canonical(record) + "\n").encode()


def read_artefact(path: Path) -> bytes:
    """Return the bytes of a file, or of a member of a bundle.

    Raises:
        ValueError: The bundle is damaged or has no such member.
    """
    address = Address.parse(path)
    return bundles.read(Path(address.file), address.member) if address.member else path.read_bytes()


def artefact_digest(path: Path) -> str:
    """Return the digest of an artefact's bytes on disk.

    Raises:
        ValueError: The bundle is damaged or has no such member.
    """
    if Address.parse(path).member:
        return sha256(read_artefact(path))
    return folder_digest(path) if path.is_dir() else file_digest(path)


def write_with_sidecar(path: Path, data: bytes, facts: Record) -> None:
    """Write an artefact, then its sidecar."""
    write_whole(path, data)
    write_sidecar(path, sha256(data), facts)


def write_sidecar(path: Path, digest: str, facts: Record) -> None:
    """Write the sidecar of an artefact.

    Args:
        path: The artefact.
        digest: The digest of its bytes.
        facts: The rest of its record.
    """
    write_whole(sidecar_path(path), _as_bytes({"artefact": digest, **facts}))


def write_bundle_sidecar(path: Path, records: Mapping[str, Record]) -> None:
    """Write the sidecar of a bundle.

    Args:
        path: The bundle.
        records: The record of each member. Members share lists of definitions, so each list is written only once.
    """
    code = {record["code"]: record["definitions"] for record in records.values()}
    short = {name: {key: record[key] for key in record if key != "definitions"} for name, record in records.items()}
    facts = {"members": short, "definitions": code, "records": digest_of_records(short, code)}
    write_sidecar(path, file_digest(path), facts)


def digest_of_records(members: Any, definitions: Any) -> str:
    """Return the digest of all records in a bundle's sidecar.

    No link covers the record of a member that no job reads, so the sidecar contains this digest.
    """
    return sha256(canonical([members, definitions]).encode())


def bundle_problem(path: Path) -> str:
    """Return what is wrong with the form of a bundle or its sidecar, or "".

    The bytes and records of the members are not checked.
    """
    content = read_sidecar(path)
    used = {record["code"] for record in content["members"].values()}
    keys = {"artefact", "members", "definitions", "records"}
    if sidecar_path(path).read_bytes() != _as_bytes(content) or set(content) != keys:
        return "its sidecar was edited: no job writes this form"
    if content["records"] != digest_of_records(content["members"], content["definitions"]):
        return "its sidecar was edited: the digest of its records does not match them"
    if used != set(content["definitions"]):
        return "its sidecar was edited: its lists of definitions do not match its members"
    if sorted(bundles.names(path)) != sorted(content["members"]):
        return "its members are other members than its sidecar records"
    return ""
