"""Files of the user's own that no sha256 pins: a list of them is an input of `fetch`, so changed files are fetched again.

The files themselves are no inputs: Snakemake would delete the copy in data/raw once they are gone, and then miss them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from touchstone.data.ingest.user_folder import files_in
from touchstone.provenance import whole_files
from touchstone.settings.files import WEB, typed_path

COPYING = ("sources/own_files", "sources/checkpoint_file")  # components that copy what is at `location`
FOLDER = Path(".touchstone/own")

Sources = Mapping[str, Mapping[str, Any]]  # name -> settings


def place(entry: Mapping[str, Any]) -> Path | None:
    """Return where a source has its files on this machine, by its settings; None if they are downloaded or installed."""
    named = str(entry.get("location" if entry["use"] in COPYING else "local_folder") or "")
    return typed_path(named) if named and not named.startswith(WEB) else None


def listed(sources: Sources, source: str) -> list[str]:
    """Return the file that lists what a source copies; it is written anew if that has changed.

    Args:
        sources: The sources of the study, by name.
        source: The name of one.

    Returns:
        The file; none if a sha256 pins the source, or if there never was anything to copy.
    """
    entry = sources[source]
    found = place(entry) if entry["use"] in COPYING and entry["sha256"] is None else None
    if found is None:
        return []
    path = FOLDER / f"{source}.json"
    if found.exists():
        files = {str(file): file.stat() for file in (files_in(found) if found.is_dir() else [found])}
        text = json.dumps({name: [seen.st_size, seen.st_mtime_ns] for name, seen in files.items()})
        if not path.exists() or path.read_text() != text:
            whole_files.write_whole(path, text.encode(), lasting=False)
    elif path.exists():
        os.utime(path, (0, 0))  # never newer than the copy, which would then be deleted and not made again
    return [str(path)] if path.exists() else []
