"""Digests of the user's files, stored with their sizes and times, so that only changed files are read again."""

from __future__ import annotations

import json
from pathlib import Path

from touchstone import digests
from touchstone.provenance import whole_files

STORED = Path(".touchstone/digests.json")  # by path, size and time


def raw_digest(path: Path, name: str | None = None) -> str:
    """Return the digest of the raw folder that a file or a folder becomes.

    name: what the file is called in that folder, if not as it is here.
    """
    try:
        stored: dict[str, str] = json.loads(STORED.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        stored = {}
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    lines = []
    for file in files:
        place = file.relative_to(path) if file != path else Path(name or file.name)
        if any(part.startswith(".") for part in place.parts):
            continue
        status = file.stat()
        key = f"{file.resolve()} {status.st_size} {status.st_mtime_ns}"
        stored[key] = stored.get(key) or digests.file_digest(file)
        lines.append(f"{stored[key].removeprefix('sha256:')}  {place.as_posix()}\n")
    whole_files.write_whole(STORED, json.dumps(stored, indent=0, sort_keys=True).encode(), lasting=False)
    return digests.sha256("".join(sorted(lines)).encode())
