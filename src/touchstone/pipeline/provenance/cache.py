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
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

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
        outputs and damaged entries are kept for an hour, because they may belong to a running job.

        Args:
            limit: The maximum number of bytes to keep.
            dry: Whether to count only.

        Returns:
            What was removed, or would be.
        """
        leads = {path: _artefact(path) for path in (self.folder / "actions").glob("*")}
        objects = {path: path.stat() for path in (self.folder / "objects").glob("*")}
        used, old = {str(digest).removeprefix("sha256:") for digest in leads.values()}, time.time() - YOUNG
        gone = {path for path, seen in objects.items() if path.name not in used and seen.st_mtime < old}
        held = sum(seen.st_size for path, seen in objects.items() if path not in gone)
        for path in sorted(objects.keys() - gone, key=lambda path: objects[path].st_mtime):
            if held <= limit:
                break
            gone.add(path)
            held -= objects[path].st_size
        kept = {path.name for path in objects.keys() - gone}
        dead = {
            path
            for path, digest in leads.items()
            if (digest is not None or path.stat().st_mtime < old) and str(digest).removeprefix("sha256:") not in kept
        }
        for path in () if dry else (*dead, *gone):  # entries first: an entry without an output is only a miss
            path.unlink(missing_ok=True)
        return Pruned(len(gone), sum(objects[path].st_size for path in gone), len(dead))


def _artefact(entry: Path) -> str | None:
    """Return the digest of an entry's output; None if the entry is unreadable."""
    try:
        digest = str(json.loads(entry.read_bytes())["artefact"])
    except (UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError):
        return None
    return digest if DIGEST.fullmatch(digest) else None  # anything else could be a path out of the cache
