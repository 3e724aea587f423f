"""Zip archives written by torch, opened so that none can unpack to more than its size."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from touchstone.messages import first_line
from touchstone.records.encoding import DamagedFile

DIRECTORY = 2**24  # bytes of an archive's table of contents: some 100,000 files
# What zipfile and the readers of an archive's files raise if it was forged or truncated.
NOT_WHOLE = (
    *(
        ValueError,
        KeyError,
        TypeError,
        IndexError,
        AttributeError,
        ArithmeticError,
        EOFError,
        MemoryError,
        RuntimeError,
    ),
    *(RecursionError, NotImplementedError, struct.error, zlib.error, zipfile.BadZipFile),
)
_end_record: Callable[..., Any] = zipfile._EndRecData  # type: ignore[attr-defined]  # ZipFile itself reads it first
_SIZE = 5  # index of the size of the table of contents in the end record


def names(path: Path) -> list[str]:
    """Return the names of the files in an archive, none if it is no zip.

    DamagedFile if it is not whole.
    """
    if not zipfile.is_zipfile(path):
        return []
    with _archive(path) as archive:
        return archive.namelist()


@contextmanager
def opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """Yield an archive to read; DamagedFile unless torch could have written it.

    torch stores files uncompressed. So their sizes add up to less than the archive, and none can be a zip bomb.
    """
    with _archive(path) as archive:
        entries = archive.infolist()
        if len({entry.filename for entry in entries}) < len(entries):
            raise DamagedFile(f"{path}: contains two files of one name; torch writes no such archive")
        if any(entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1 for entry in entries):
            raise DamagedFile(
                f"{path}: contains compressed or encrypted files; torch writes no such archive: save it again"
            )
        if sum(max(entry.file_size, entry.compress_size) for entry in entries) > path.stat().st_size:
            raise DamagedFile(f"{path}: would unpack to more than it contains; torch writes no such archive")
        yield archive


def _archive(path: Path) -> zipfile.ZipFile:
    try:
        with path.open("rb") as stream:
            end = _end_record(stream)
        if end is None or end[_SIZE] > DIRECTORY:
            raise zipfile.BadZipFile("its table of contents is missing or too long")
        return zipfile.ZipFile(path)
    except NOT_WHOLE as error:
        raise DamagedFile(f"{path}: not a whole zip archive ({first_line(error)})") from error
