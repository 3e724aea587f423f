"""Write files whole or not at all."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

# --- files --------------------------------------------------------------------------------------------------------


def write_whole(path: Path, data: bytes, *, lasting: bool = True) -> None:
    """Write a file so that it is either whole under its name or not there: temporary name, sync, rename.

    What need not outlive a power cut (not `lasting`) is not synced. OSError names the file, also where a disk is full.
    """
    _write(path, [data], lasting)


def write_pieces(path: Path, pieces: Iterable[bytes]) -> str:
    """Write a file as `write_whole` does, but of pieces that are never in memory together; return their digest."""
    digest = hashlib.sha256()

    def seen() -> Iterator[bytes]:
        for piece in pieces:
            digest.update(piece)
            yield piece

    _write(path, seen(), lasting=True)
    return "sha256:" + digest.hexdigest()


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """Yield a temporary path; what the block writes there gets its name when the block ends well, else it is deleted."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        yield temporary
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        temporary.replace(path)
    except OSError as error:
        raise OSError(error.errno, f"{error.strerror}; nothing was written under that name", str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)


def _write(path: Path, pieces: Iterable[bytes], lasting: bool) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, pieces, lasting)
    except OSError as error:
        told = f"{error.strerror}; nothing was written under that name"
        raise OSError(error.errno, told, str(path)) from error


def _replace(path: Path, pieces: Iterable[bytes], lasting: bool) -> None:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with temporary.open("xb") as stream:  # with the mode that the umask leaves, unlike a file of `tempfile`
            stream.writelines(pieces)
            stream.flush()
            if lasting:
                os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
