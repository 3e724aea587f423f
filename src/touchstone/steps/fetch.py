"""fetch: bring the raw files of a source into a folder. The one step that may touch the network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from touchstone.raw_files import check_folder


def fetch(folder: Path, *, source: Callable[[Path], None], sha256: str, name: str) -> None:
    """Have `source` fill the empty folder with its raw files.

    Raises DamagedFile where their digest is not the expected one: the source changed, or a download was cut or altered.
    """
    source(folder)
    check_folder(folder, sha256, name)
