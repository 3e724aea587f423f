"""The action cache: the same step on the same bytes under the same settings and code is done once.

A job whose inputs were remade with equal bytes finds its output here before torch is imported, copies it and writes only
a new sidecar, so the chain stays whole and the wave stops. Switching a setting forth and back costs nothing.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from touchstone import digests
from touchstone.pipeline.provenance import whole_files

FOLDER = ".touchstone/cache"
OFF = "off"
YOUNG = 3600  # seconds


@dataclass(frozen=True)
class Pruned:
    """What left a cache: outputs, their bytes in all, and entries that lead to no output."""

    outputs: int
    size: int
    entries: int


@dataclass(frozen=True)
class Cache:
    """Outputs by the digest of their bytes, and the digests by the key of the action that made them."""

    folder: Path

    @classmethod
    def at(cls, root: Path) -> Cache | None:
        """Return the cache of a repository, or the one that TOUCHSTONE_CACHE names; None where that says off."""
        named = os.environ.get("TOUCHSTONE_CACHE", "")
        return None if named == OFF else cls(Path(named) if named else root / FOLDER)

    def _action(self, key: str) -> Path:
        return self.folder / "actions" / f"{key.removeprefix('sha256:')}.json"

    def _object(self, digest: str) -> Path:
        return self.folder / "objects" / digest.removeprefix("sha256:")

    def fetch(self, key: str) -> Path | None:
        """Return the file that holds the output of an action; None if it is not here, or not whole.

        Copy or read it: a link to a file that is later edited in place would spoil the cache.
        """
        try:
            digest = str(json.loads(self._action(key).read_text())["artefact"])
            source = self._object(digest)
            if digests.file_digest(source) != digest:
                source.unlink()
                return None
        except (FileNotFoundError, KeyError, json.JSONDecodeError):
            return None
        os.utime(source)  # what gc goes by
        return source

    def keep(self, key: str, made: Path | bytes) -> None:
        """Remember the output of an action, given as a file or as its bytes."""
        digest = digests.sha256(made) if isinstance(made, bytes) else digests.file_digest(made)
        source = self._object(digest)
        if not source.is_file():
            source.parent.mkdir(parents=True, exist_ok=True)
            temporary = source.with_name(f".{source.name}.{os.getpid()}")
            if isinstance(made, bytes):
                temporary.write_bytes(made)
            else:
                shutil.copyfile(made, temporary)
            temporary.replace(source)
        whole_files.write_whole(self._action(key), json.dumps({"artefact": digest}).encode(), lasting=False)

    def prune(self, limit: float, dry: bool) -> Pruned:
        """Remove outputs that no entry leads to, then those used longest ago until the rest hold at most `limit` bytes, and
        the entries that lead to no output any more; return what was removed.

        A dry run only counts. What is younger than an hour may belong to a job at work, and is not taken for unused.
        """
        leads = {path: _artefact(path) for path in (self.folder / "actions").glob("*")}
        found = {path: path.stat() for path in (self.folder / "objects").glob("*")}
        used, old = {str(digest).removeprefix("sha256:") for digest in leads.values()}, time.time() - YOUNG
        gone = {path for path, seen in found.items() if path.name not in used and seen.st_mtime < old}
        held = sum(seen.st_size for path, seen in found.items() if path not in gone)
        for path in sorted(found.keys() - gone, key=lambda path: found[path].st_mtime):
            if held <= limit:
                break
            gone.add(path)
            held -= found[path].st_size
        kept = {path.name for path in found.keys() - gone}
        dead = {
            path
            for path, digest in leads.items()
            if (digest is not None or path.stat().st_mtime < old) and str(digest).removeprefix("sha256:") not in kept
        }
        for path in () if dry else (*dead, *gone):  # entries first: one without its output is a miss, and no more
            path.unlink(missing_ok=True)
        return Pruned(len(gone), sum(found[path].st_size for path in gone), len(dead))


def _artefact(entry: Path) -> str | None:
    """Return the digest of the output that an entry leads to; None where it is half written or not readable."""
    try:
        return str(json.loads(entry.read_bytes())["artefact"])
    except (UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError):
        return None
