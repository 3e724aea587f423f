"""fetch: bring the raw files of a source into a folder. The one step that may touch the network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from touchstone.digests import folder_digest
from touchstone.ingest.raw_files import check_folder


def fetch(folder: Path, *, source: Callable[[Path], None], sha256: str | None, name: str) -> str:
    """Have `source` fill the empty folder with its raw files; return their digest.

    Raises DamagedFile where it is not `sha256`: the source changed, or a download was cut or altered. `sha256` None takes
    what comes: the source itself has checked its archives against the digests that their publisher states.
    """
    source(folder)
    if sha256 is None:
        return folder_digest(folder)
    check_folder(folder, sha256, name)
    return sha256
