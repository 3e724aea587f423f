"""Files of the user's own that no sha256 pins: a run fetches them again if they have changed.

The settings hold only the path of such files, so no digest of a job changes with them.
"""

from __future__ import annotations

import filecmp
import sys
from pathlib import Path

from touchstone.ingest.user_folder import files_in
from touchstone.pipeline.settings.study import Study

COPYING = ("sources/own_files", "sources/checkpoint_file")  # components that copy what is at `location`


def locations(study: Study) -> dict[str, Path]:
    """Return {source: the file or folder that it copies} of the sources without a sha256."""
    return {
        name: Path(entry["location"]).expanduser()
        for name, entry in study["sources"].items()
        if entry["use"] in COPYING and entry["sha256"] is None
    }


def changed(study: Study) -> list[str]:
    """Return the addresses of the sources whose files have changed since they were fetched, and print which these are.

    Raises:
        DamagedFile: A link leads out of a folder, or nowhere.
    """
    addresses = []
    for name, place in locations(study).items():
        copy = Path("data/raw", name)
        if place.exists() and copy.is_dir() and not _is_copy(copy, place):
            print(f"touchstone: sources.{name}: {place} has changed; fetching it again", file=sys.stderr, flush=True)
            addresses.append(str(copy))
    return addresses


def _is_copy(copy: Path, place: Path) -> bool:
    """Return whether a folder holds the files of a place, byte for byte. A single file may have another name there."""
    copies = {path.relative_to(copy): path for path in files_in(copy)}
    is_folder = place.is_dir()
    files = {path.relative_to(place): path for path in files_in(place)} if is_folder else dict.fromkeys(copies, place)
    return files.keys() == copies.keys() and all(
        filecmp.cmp(files[name], copies[name], shallow=False) for name in files
    )
