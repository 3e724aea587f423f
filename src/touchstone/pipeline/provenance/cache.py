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
from dataclasses import dataclass
from pathlib import Path

from touchstone import digests
from touchstone.pipeline.provenance import whole_files

FOLDER = ".touchstone/cache"
OFF = "off"
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


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


def _artefact(entry: Path) -> str | None:
    """Return the digest of an entry's output; None if the entry is unreadable."""
    try:
        digest = str(json.loads(entry.read_bytes())["artefact"])
    except (UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError):
        return None
    return digest if DIGEST.fullmatch(digest) else None  # anything else could be a path out of the cache
