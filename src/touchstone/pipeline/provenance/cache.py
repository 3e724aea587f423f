"""The action cache: run a step only once on the same bytes, settings and code.

If a job's inputs were recreated with equal bytes, the job copies its output from here and does not import torch. It
writes only a new sidecar, so the chain stays complete and no later job recomputes anything. Changing a setting and
changing it back costs nothing.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from touchstone import digests
from touchstone.pipeline.provenance import whole_files

FOLDER = ".touchstone/cache"
OFF = "off"
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
YOUNG = 3600  # seconds; a running job may be using a file younger than this


@dataclass(frozen=True)
class Pruned:
    """The contents that were removed from a cache.

    Attributes:
        outputs: The number of outputs.
        size: Their total bytes.
        entries: The number of entries without an output.
    """

    outputs: int
    size: int
    entries: int


@dataclass(frozen=True)
class Cache:
    """Outputs by their digests, and digests by the keys of actions."""

    folder: Path

    @classmethod
    def at(cls, root: Path) -> Cache | None:
        """Return the repository's cache, or the one in TOUCHSTONE_CACHE.

        None if TOUCHSTONE_CACHE is off.
        """
        named = os.environ.get("TOUCHSTONE_CACHE", "")
        return None if named == OFF else cls(Path(named) if named else root / FOLDER)

    def _action(self, key: str) -> Path:
        return self.folder / "actions" / f"{key.removeprefix('sha256:')}.json"

    def _object(self, digest: str) -> Path:
        return self.folder / "objects" / digest.removeprefix("sha256:")

    def fetch(self, key: str) -> Path | None:
        """Return the file with the output of an action; None if it is missing or damaged.

        Copy or read the file, but do not link to it: editing the link would damage the cache.
        """
        try:
            digest = _artefact(self._action(key))
            if digest is None:
                return None
            source = self._object(digest)
            if digests.file_digest(source) != digest:
                source.unlink()
                return None
            with suppress(PermissionError):  # the file belongs to another user
                os.utime(source)  # gc removes the least recently used
        except (FileNotFoundError, PermissionError):  # PermissionError: the file belongs to another user
            return None
        return source

    def keep(self, key: str, made: Path | bytes) -> None:
        """Store the output of an action.

        Args:
            key: The key of the action.
            made: The output's file or bytes.
        """
        digest = digests.sha256(made) if isinstance(made, bytes) else digests.file_digest(made)
        source = self._object(digest)
        if not source.is_file():
            with whole_files.replaced(source, lasting=False) as temporary:
                if isinstance(made, bytes):
                    temporary.write_bytes(made)
                else:
                    shutil.copyfile(made, temporary)
        whole_files.write_whole(self._action(key), json.dumps({"artefact": digest}).encode(), lasting=False)

    def prune(self, limit: float, dry: bool) -> Pruned:
        """Remove unused outputs, then least recently used ones, then dead entries.

        An output is unused if no entry refers to it. An entry is dead if it is damaged or its output is missing. Unused
        outputs, damaged entries and temporary files are kept for an hour, because they may belong to a running job. Until
        then they do not count towards the limit.

        Args:
            limit: The maximum number of bytes to keep.
            dry: Whether to count only.

        Returns:
            What was removed, or would be.
        """
        leads, objects = _there(self.folder / "actions", _lead), _there(self.folder / "objects", Path.stat)
        used, old = {output for output, _ in leads.values()}, time.time() - YOUNG
        unused = {path for path in objects if path.name not in used}
        gone = {path for path in unused if objects[path].st_mtime < old}
        held = sum(seen.st_size for path, seen in objects.items() if path not in unused)
        for path in sorted(objects.keys() - unused, key=lambda path: objects[path].st_mtime):
            if held <= limit:
                break
            gone.add(path)
            held -= objects[path].st_size
        kept = {path.name for path in objects.keys() - gone}
        dead = {path for path, (output, seen) in leads.items() if output not in kept and (output or seen < old)}
        for path in () if dry else (*dead, *gone):  # entries first: an entry without an output is only a miss
            path.unlink(missing_ok=True)
        return Pruned(len(gone), sum(objects[path].st_size for path in gone), len(dead))


def _there(folder: Path, read: Callable[[Path], Any]) -> dict[Path, Any]:
    """Return what `read` returns for each file in a folder, without the files that a running job removes meanwhile."""
    there = {}
    for path in folder.glob("*"):
        with suppress(FileNotFoundError):
            there[path] = read(path)
    return there


def _lead(entry: Path) -> tuple[str, float]:
    """Return the name of an entry's output, "" if it is damaged or not yet whole, and when the entry was written."""
    digest = None if entry.name.startswith(".") else _artefact(entry)
    return (digest or "").removeprefix("sha256:"), entry.stat().st_mtime


def _artefact(entry: Path) -> str | None:
    """Return the digest of an entry's output; None if the entry is unreadable."""
    try:
        digest = str(json.loads(entry.read_bytes())["artefact"])
    except (UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError):
        return None
    return digest if DIGEST.fullmatch(digest) else None  # anything else could be a path out of the cache
