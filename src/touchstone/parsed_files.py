"""What files were parsed to, kept by the digest of their bytes: the next command need not parse 400 files again.

Nothing is read that another version of a parser wrote, or that is not whole. The store is only as trustworthy as its
folder: who edits a file there can edit the store, too. So a command that judges somebody's files calls `disable_cache`.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

STORE = Path(".touchstone/parsed_files.json")  # written only if a run has created its folder
LARGEST = 20_000_000  # bytes; a store with more is not read, so it starts again

_added: list[str] = []  # keys that the store on disk lacks
_trusted = True


def remembered(parser: str, source: bytes, parse: Callable[[bytes], Any]) -> Any:
    """Return what `parse` makes of the bytes of a file; it need not be called if the store has it.

    Args:
        parser: names what `parse` does, with `version` of the files that it consists of.
        source: the bytes.
        parse: its result survives JSON: no tuples, and only texts as keys. The caller does not change it.
    """
    store, key = _store(), f"{parser} {_digest(source)}"
    if key not in store:
        store[key] = parse(source)
        _added.append(key)
    return store[key]


def disable_cache() -> None:
    """Forget what the store holds; for the rest of this process, neither read it nor write it."""
    global _trusted
    _trusted = False
    _added.clear()
    _store.cache_clear()


def is_trusted() -> bool:
    """Return whether this process may read what earlier commands kept."""
    return _trusted


@cache
def version(*files: str) -> str:
    """Return one digest of some Python files and of Python's version, on which what they parse depends too."""
    return _digest(b"".join([*(Path(file).read_bytes() for file in files), sys.version.encode()]))


def unsaved() -> bytes | None:
    """Return what the store should hold from now on, or None if it has no new entries; the caller writes it."""
    if not _trusted or not _added:
        return None
    _added.clear()
    content = json.dumps(_store()).encode()
    return _digest(content).encode() + b"\n" + content


@cache
def _store() -> dict[str, Any]:
    with suppress(OSError):
        if _trusted and STORE.stat().st_size <= LARGEST:
            digest, _, content = STORE.read_bytes().partition(b"\n")
            if digest == _digest(content).encode():
                store: dict[str, Any] = json.loads(content)
                return store
    return {}


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
