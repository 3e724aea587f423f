"""Digests of code and bytes, sidecars that chain them, and files that are whole or absent. No torch, no numpy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from touchstone.digests import canonical, file_digest, sha256
from touchstone.pipeline.provenance.whole_files import write_whole

SIDECAR = ".prov.json"


def sidecar_path(path: Path) -> Path:
    """Return where the sidecar of an artefact lies: beside it."""
    return path.with_name(path.name + SIDECAR)


def read_sidecar(path: Path) -> dict[str, Any]:
    """Return the sidecar beside an artefact; ValueError names it where it is missing or not readable."""
    try:
        data = sidecar_path(path).read_bytes()
    except FileNotFoundError:
        raise ValueError(f"{sidecar_path(path)}: missing, so nothing vouches for {path}") from None
    return parse_sidecar(path, data)


def parse_sidecar(path: Path, data: bytes) -> dict[str, Any]:
    """Return the sidecar of the artefact at `path` from its bytes; ValueError names it where they are not readable."""
    try:
        content = json.loads(data)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"{sidecar_path(path)}: not readable as JSON: {error}") from None
    if not isinstance(content, dict) or "artefact" not in content:
        raise ValueError(f"{sidecar_path(path)}: not a sidecar")
    return content


def write_with_sidecar(path: Path, data: bytes, facts: dict[str, Any]) -> None:
    """Write an artefact and then its sidecar: the digest of its bytes and what it was made from."""
    write_whole(path, data)
    write_sidecar(path, sha256(data), facts)


def write_sidecar(path: Path, digest: str, facts: dict[str, Any]) -> None:
    """Write the sidecar of an artefact whose bytes have that digest."""
    write_whole(sidecar_path(path), (canonical({"artefact": digest, **facts}) + "\n").encode())


def lock_digest(root: Path) -> str:
    """Return the digest of the run-time lock."""
    return file_digest(root / "requirements.lock")
