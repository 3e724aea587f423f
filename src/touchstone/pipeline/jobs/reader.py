"""Read a job's inputs: decode each file once, check its type."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from touchstone.pipeline.provenance import sidecar_files


class JobError(Exception):
    """A job that cannot be done, in words for its user."""


class Reader:
    """Reads nouns, each once per job, and checks their bytes against their sidecars."""

    def __init__(self) -> None:
        self._nouns: dict[str, Any] = {}
        self._links: dict[str, dict[str, str]] = {}

    def noun(self, file: str, kind: str) -> Any:
        """Return the noun in a file; JobError names the file where it is damaged or not what its sidecar says."""
        from touchstone.records import encoding, nouns

        self.link(file)  # the bytes are those that the sidecar vouches for
        if file not in self._nouns:
            try:
                self._nouns[file] = encoding.decode(sidecar_files.read_artefact(Path(file)), nouns.KINDS[kind])
            except ValueError as error:
                raise JobError(f"{file}: {error}. Delete it and run again to have it remade.") from error
        return self._nouns[file]

    def forget(self, files: Iterable[str]) -> None:
        """Let go of the nouns in some files: a job on many sets need not hold them all."""
        for file in files:
            self._nouns.pop(file, None)

    def link(self, file: str) -> dict[str, str]:
        """Return the file's link in the chain: the digest of its bytes, which are checked, and of its sidecar."""
        if file not in self._links:
            path = Path(file)
            try:
                expected = sidecar_files.read_sidecar(path)["artefact"]
                found = sidecar_files.artefact_digest(path)
            except ValueError as error:
                raise JobError(f"{error}. Delete it and run again to have it remade.") from error
            if found != expected:
                raise JobError(
                    f"{file}: its bytes do not match its sidecar, which says {expected}; found {found}."
                    " Delete it and run again to have it remade."
                )
            self._links[file] = {"file": file, "artefact": expected, "sidecar": sidecar_files.record_digest(path)}
        return self._links[file]
