"""SHA-256 digests of bytes, files and folders, written "sha256:<hex>"."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
SNAKEMAKE_MARK = ".snakemake_timestamp"  # an empty file that Snakemake writes into every folder it creates


def canonical(value: object) -> str:
    """Return `value` as JSON with sorted keys, so that equal values have equal digests."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def sha256(data: bytes) -> str:
    """Return the digest of bytes."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def file_digest(path: Path) -> str:
    """Return the digest of a file's bytes."""
    with path.open("rb") as stream:
        return "sha256:" + hashlib.file_digest(stream, "sha256").hexdigest()


def folder_digest(folder: Path) -> str:
    """Return the digest of the sorted lines `<sha256>  <relative name>`, one per file.

    Files in subfolders are included, with slashes in their names. Times, modes, empty folders and Snakemake's mark are
    not.

    Raises:
        ValueError: A name contains a new line, so that another folder could have the same lines.
    """
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != SNAKEMAKE_MARK]
    names = [path.relative_to(folder).as_posix() for path in files]
    if split := next((name for name in names if "\n" in name), ""):
        raise ValueError(f"{folder}: contains a name with a new line, {split!r}; rename it")
    digests = (file_digest(path).removeprefix("sha256:") for path in files)
    lines = [f"{digest}  {name}\n" for digest, name in zip(digests, names, strict=True)]
    return sha256("".join(sorted(lines)).encode())
