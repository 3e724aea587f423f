"""Files of the user's own that no sha256 pins: a list of them is an input of `fetch`, so changed files are fetched again.

The files themselves are no inputs: Snakemake would delete the copy in data/raw once they are gone, and then miss them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from touchstone.data.ingest.user_folder import files_in
from touchstone.provenance import whole_files

COPYING = ("sources/own_files", "sources/checkpoint_file")  # components that copy what is at `location`
FOLDER = Path(".touchstone/own")

Sources = Mapping[str, Mapping[str, Any]]  # name -> settings


def locations(sources: Sources) -> dict[str, Path]:
    """Return {source: the file or folder that it copies} of the sources without a sha256."""
    return {
        name: Path(entry["location"]).expanduser()
        for name, entry in sources.items()
        if entry["use"] in COPYING and entry["sha256"] is None
    }


def listed(sources: Sources, source: str) -> list[str]:
    """Return the file that lists what a source copies; it is written anew if that has changed.

    Args:
        sources: The sources of the study, by name.
        source: The name of one.

    Returns:
        The file; none if a sha256 pins the source, or if there never was anything to copy.
    """
    place = locations(sources).get(source)
    if place is None:
        return []
    path = FOLDER / f"{source}.json"
    if place.exists():
        files = {str(file): file.stat() for file in (files_in(place) if place.is_dir() else [place])}
        text = json.dumps({name: [seen.st_size, seen.st_mtime_ns] for name, seen in files.items()})
        if not path.exists() or path.read_text() != text:
            whole_files.write_whole(path, text.encode(), lasting=False)
    return [str(path)] if path.exists() else []
