"""Folders of jobs with their sidecars, as jobs write them, for tests that run no job."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from touchstone.digests import sha256
from touchstone.provenance import sidecar_files

FACTS: dict[str, Any] = {
    **{"step": "score", "settings": {}, "inputs": {}},
    **{"code": "sha256:c", "definitions": {"a.f": "a1"}, "packages": {}},
}


def write_job(folder: Path, files: dict[str, bytes], **facts: Any) -> None:
    """Write the artefacts of a job, by their paths in its folder, and its sidecar; facts are those of all records."""
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    records = {name: {"artefact": sha256(data), **FACTS, **facts} for name, data in files.items()}
    sidecar_files.write_job_sidecar(folder, records)


def link(root: Path, file: str) -> dict[str, str]:
    """Return the link to an artefact that a record of what was made from it has."""
    record = sidecar_files.read_sidecar(root / file)
    return {"file": file, "artefact": record["artefact"], "sidecar": sidecar_files.digest_of_record(record)}
