"""The action cache: the same step on the same bytes under the same settings and code is done once.

A job whose inputs were remade with equal bytes finds its output here before torch is imported, copies it and writes only
a new sidecar, so the chain stays whole and the wave stops. Switching a setting forth and back costs nothing.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from touchstone import digests, provenance

FOLDER = ".touchstone/cache"
OFF = "off"


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
        provenance.write_whole(self._action(key), json.dumps({"artefact": digest}).encode(), lasting=False)

    def prune(self, limit: float, dry: bool) -> tuple[int, int]:
        """Remove the objects used longest ago until the rest hold at most `limit` bytes; return (objects, bytes) removed.

        A dry run only counts.
        """
        files = sorted((self.folder / "objects").glob("*"), key=lambda path: path.stat().st_mtime)
        sizes = [path.stat().st_size for path in files]
        excess, removed, freed = sum(sizes) - limit, 0, 0
        for path, size in zip(files, sizes, strict=True):
            if freed >= excess:
                break
            removed, freed = removed + 1, freed + size
            if not dry:
                path.unlink()
        return removed, freed
