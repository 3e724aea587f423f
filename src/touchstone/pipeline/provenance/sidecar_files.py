"""Sidecars: beside each artefact, what it was made from. A bundle has one sidecar with a record for each member.

A record says the digest of the artefact's bytes, the step, its settings, inputs, code and environment. The record of a
file of its own is its sidecar.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from touchstone.digests import canonical, file_digest, folder_digest, sha256
from touchstone.pipeline.provenance import bundles
from touchstone.pipeline.provenance.addresses import Address
from touchstone.pipeline.provenance.whole_files import write_whole

SIDECAR = ".prov.json"
Record = dict[str, Any]


def sidecar_path(path: Path) -> Path:
    """Return where the sidecar of an artefact, or of the bundle that it is a member of, lies: beside it."""
    path = Path(Address.parse(path).file)
    return path.with_name(path.name + SIDECAR)


def read_sidecar(path: Path) -> Record:
    """Return the record of an artefact; of a bundle as a whole, its sidecar. ValueError names one that is missing."""
    beside = sidecar_path(path)
    try:
        seen = beside.stat()
        content = _content(str(beside), seen.st_mtime_ns, seen.st_size, seen.st_ino)
    except (FileNotFoundError, NotADirectoryError):
        raise ValueError(f"{beside}: missing, so nothing vouches for {path}") from None
    member = Address.parse(path).member
    return record_of(path, content, member) if member else content


@lru_cache(maxsize=4096)
def _content(path: str, changed: int, size: int, inode: int) -> Record:
    artefact = Path(path.removesuffix(SIDECAR))
    return parse_sidecar(artefact, Path(path).read_bytes())


def parse_sidecar(path: Path, data: bytes) -> Record:
    """Return the sidecar of the artefact at `path` from its bytes; ValueError names it where they are not readable."""
    try:
        content = json.loads(data)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"{sidecar_path(path)}: not readable as JSON: {error}") from None
    if not isinstance(content, dict) or "artefact" not in content:
        raise ValueError(f"{sidecar_path(path)}: not a sidecar")
    return content


def record_of(path: Path, content: Record, member: str) -> Record:
    """Return the record of a member from its bundle's sidecar; ValueError if the sidecar has none."""
    try:
        record = content["members"][member]
        return {**record, "files": content["files"][record["code"]]}
    except (KeyError, TypeError):
        raise ValueError(f"{sidecar_path(path)}: vouches for no member {member}") from None


def members(path: Path) -> list[str]:
    """Return the members that a sidecar vouches for; none if the artefact is a file of its own."""
    found = read_sidecar(Path(Address.parse(path).file)).get("members", {})
    return list(found) if isinstance(found, dict) else []


def addresses(path: Path) -> list[str]:
    """Return the artefacts that a sidecar vouches for: the file itself, or the members of a bundle."""
    names = members(path)
    return [str(Address(str(path), name)) for name in names] or [str(path)]


def exists(path: Path) -> bool:
    """Return whether an artefact is there; of a member, whether the bundle's sidecar vouches for it."""
    address = Address.parse(path)
    if not Path(address.file).exists():
        return False
    try:
        return not address.member or address.member in members(path)
    except ValueError:
        return False


def record_digest(path: Path) -> str:
    """Return the digest of an artefact's record: of a file of its own, that of its sidecar's bytes."""
    if not Address.parse(path).member:
        return file_digest(sidecar_path(path))
    return digest_of_record(read_sidecar(path))


def digest_of_record(record: Record) -> str:
    """Return the digest of a member's record. Its code digest stands for the code files that it lists."""
    return sha256(canonical({name: value for name, value in record.items() if name != "files"}).encode())


def _as_bytes(record: Record) -> bytes:
    return (canonical(record) + "\n").encode()


def read_artefact(path: Path) -> bytes:
    """Return the bytes of a file, or of a member of a bundle; ValueError if a bundle is damaged."""
    address = Address.parse(path)
    return bundles.read(Path(address.file), address.member) if address.member else path.read_bytes()


def artefact_digest(path: Path) -> str:
    """Return the digest of an artefact's bytes as they are on disk; ValueError if a bundle is damaged."""
    if Address.parse(path).member:
        return sha256(read_artefact(path))
    return folder_digest(path) if path.is_dir() else file_digest(path)


def write_with_sidecar(path: Path, data: bytes, facts: Record) -> None:
    """Write an artefact and then its sidecar: the digest of its bytes and what it was made from."""
    write_whole(path, data)
    write_sidecar(path, sha256(data), facts)


def write_sidecar(path: Path, digest: str, facts: Record) -> None:
    """Write the sidecar of an artefact whose bytes have that digest."""
    write_whole(sidecar_path(path), _as_bytes({"artefact": digest, **facts}))


def write_bundle_sidecar(path: Path, records: Mapping[str, Record]) -> None:
    """Write the sidecar of a bundle: {member: record}. The code files, which many members share, are written once."""
    code = {record["code"]: record["files"] for record in records.values()}
    short = {name: {key: record[key] for key in record if key != "files"} for name, record in records.items()}
    write_sidecar(path, file_digest(path), {"members": short, "files": code})


def bundle_problem(path: Path) -> str:
    """Return why a bundle and its sidecar are not what a job writes, or ""; members' bytes and records are not looked at."""
    content = read_sidecar(path)
    used = {record["code"] for record in content["members"].values()}
    if sidecar_path(path).read_bytes() != _as_bytes(content) or set(content) != {"artefact", "members", "files"}:
        return "its sidecar was edited: it is not in the form that a job writes"
    if used != set(content["files"]):
        return "its sidecar was edited: it lists code files of no member"
    if sorted(bundles.names(path)) != sorted(content["members"]):
        return "it holds other members than those that its sidecar vouches for"
    return ""


def lock_digest(root: Path) -> str:
    """Return the digest of the run-time lock."""
    return file_digest(root / "requirements.lock")
