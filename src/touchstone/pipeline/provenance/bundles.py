"""Bundles: one file for the many small artefacts of a job.

A bundle is a zip without compression, and each member is a whole safetensors file. Equal members give equal bytes.
"""

from __future__ import annotations

import errno
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path

from touchstone.pipeline.provenance import whole_files

DATE = (1980, 1, 1, 0, 0, 0)  # the earliest date of a zip, so its bytes depend on no clock
OPEN = 32  # bundles that stay open for the next read


class Writer:
    """Adds members to a new bundle."""

    def __init__(self, path: Path, archive: zipfile.ZipFile) -> None:
        self._path, self._archive = path, archive

    def add(self, member: str, data: bytes) -> None:
        """Write the next member."""
        with whole_files.naming(self._path):
            self._archive.writestr(entry(member), data)


def entry(name: str, size: int = 0) -> zipfile.ZipInfo:
    """Return the zip entry of a member. It depends neither on the clock nor on the operating system.

    Args:
        name: The name of the member.
        size: The number of its bytes, if they are written piece by piece.
    """
    made = zipfile.ZipInfo(name, DATE)
    made.external_attr, made.create_system, made.file_size = 0o644 << 16, 3, size
    return made


@contextmanager
def written(path: Path) -> Iterator[Writer]:
    """Yield the writer of a bundle.

    The bundle gets its name when the block succeeds. If the block fails, an older bundle stays as it is.
    """
    with whole_files.replaced(path) as temporary:
        with whole_files.naming(path):
            archive = zipfile.ZipFile(temporary, "w", zipfile.ZIP_STORED)
        try:
            yield Writer(path, archive)
        except BaseException:
            with suppress(OSError):  # the temporary file is deleted in any case
                archive.close()
            raise
        with whole_files.naming(path):
            archive.close()


def read(path: Path, member: str) -> bytes:
    """Return the bytes of a member.

    Raises:
        ValueError: The bundle is damaged, compressed, or has no such member.
    """
    with _whole(path) as bundle:
        try:
            return bundle.read(member)
        except KeyError:
            raise ValueError(f"{path}: has no member {member}") from None


def names(path: Path) -> list[str]:
    """Return the names of a bundle's members.

    Raises:
        ValueError: The bundle is damaged or compressed.
    """
    with _whole(path) as bundle:
        return bundle.namelist()


@contextmanager
def _whole(path: Path) -> Iterator[zipfile.ZipFile]:
    seen = path.stat()
    try:
        yield _opened(str(path), seen.st_mtime_ns, seen.st_size, seen.st_ino)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise ValueError(f"{path}: not a whole bundle: {error}") from None
    except OSError as error:
        if error.errno != errno.EINVAL:  # zipfile seeks to where a damaged table of contents says
            raise
        raise ValueError(f"{path}: not a whole bundle: its table of contents is damaged") from None


@lru_cache(maxsize=OPEN)
def _opened(path: str, changed: int, size: int, inode: int) -> zipfile.ZipFile:
    """Return a bundle to read. Its members are stored, so none can unpack to more bytes than the bundle has."""
    bundle = zipfile.ZipFile(os.fspath(path))
    for entry in bundle.infolist():
        problem = ""
        if entry.compress_type != zipfile.ZIP_STORED:
            problem = "is compressed, and touchstone compresses none"
        elif entry.compress_size > size or entry.file_size != entry.compress_size:
            problem = "has another size than the bundle says"
        if problem:
            bundle.close()
            raise ValueError(f"{path}: its member {entry.filename!a} {problem}")
    return bundle
