"""fetch: put the raw files of a source into a folder. Only this step may use the network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from touchstone.data.ingest.raw_files import check_folder
from touchstone.digests import folder_digest


def fetch(folder: Path, *, source: Callable[[Path], None], sha256: str | None, name: str) -> str:
    """Let `source` write its raw files into the empty folder; return their digest.

    If `sha256` is None, any files are accepted. The source itself checks its archives against their publisher's digests.

    Raises:
        DamagedFile: the digest is not `sha256`: the source changed, or a download was cut or altered.
    """
    source(folder)
    if sha256 is None:
        return folder_digest(folder)
    check_folder(folder, sha256, name)
    return sha256
