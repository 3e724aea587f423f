"""Write files completely or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def write_whole(path: Path, data: bytes, *, lasting: bool = True) -> None:
    """Write a file so that it is never incomplete.

    The bytes go to a temporary file, which is synced if it is to be `lasting`, and then renamed.

    Args:
        path: The file.
        data: Its bytes.
        lasting: Whether to sync, so that the file survives a power cut.

    Raises:
        OSError: The file could not be written, for example because the disk is full. The error names the file.
    """
    # `open` gives the file the mode that the umask allows; `tempfile` would hide it from other users.
    with replaced(path, lasting=lasting) as temporary, naming(path), temporary.open("xb") as stream:
        stream.write(data)


def write_or_warn(path: Path, data: bytes, consequence: str) -> bool:
    """Write a file that no result depends on; if that fails, print a warning. It need not survive a power cut.

    Args:
        path: The file.
        data: Its bytes.
        consequence: What its absence means, for the warning.

    Returns:
        Whether it was written.
    """
    try:
        write_whole(path, data, lasting=False)
    except OSError as error:
        print(f"touchstone: {path}: {error.strerror}. {consequence}", file=sys.stderr)
        return False
    return True


@contextmanager
def replaced(path: Path, *, lasting: bool = True) -> Iterator[Path]:
    """Yield a temporary path for the block to write.

    If the block succeeds, the temporary file is synced, if it is to be `lasting`, and renamed to `path`; otherwise it is
    deleted. Errors of the block stay as they are.
    """
    with naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        yield temporary
        with naming(path):
            if lasting:
                with temporary.open("rb") as stream:
                    os.fsync(stream.fileno())
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def link(source: Path, target: Path) -> bool:
    """Make `target` a link to a file; where there can be no link, as on another file system, a copy of it.

    Returns:
        Whether it is a link.

    Raises:
        OSError: The file could not be written. The error names it.
    """
    with naming(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:  # another file system, or a file of another user
        with replaced(target, lasting=False) as temporary:
            shutil.copyfile(source, temporary)
        return False
    return True


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Make an OSError of the block name the file that was not written, instead of a temporary name or none."""
    try:
        yield
    except OSError as error:
        reason = f"{error.strerror}; nothing was written under that name"
        raise OSError(error.errno, reason, str(path)) from error
