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

    def fetch(self, key: str, target: Path) -> str | None:
        """Put the action's output under `target` and return its digest; None where it is not here, or not whole."""
        try:
            digest = str(json.loads(self._action(key).read_text())["artefact"])
            source = self._object(digest)
            if digests.file_digest(source) != digest:
                source.unlink()
                return None
        except (FileNotFoundError, KeyError, json.JSONDecodeError):
            return None
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.linked")
        temporary.unlink(missing_ok=True)
        try:
            shutil.copyfile(source, temporary)  # no link: a file edited in place must spoil no other
            temporary.replace(target)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        os.utime(source)  # what gc goes by
        return digest

    def keep(self, key: str, digest: str, made: Path) -> None:
        """Remember that the action `key` made the file `made`, whose bytes have that digest."""
        source = self._object(digest)
        if not source.is_file():
            source.parent.mkdir(parents=True, exist_ok=True)
            temporary = source.with_name(f".{source.name}.{os.getpid()}")
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
