"""Read a job's inputs: decode each file once and check its type."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from touchstone.pipeline.provenance import sidecar_files

METRICS = "Metrics"  # the kind of file that evaluations write


class JobError(Exception):
    """A job cannot run; the message is for the user."""


class Reader:
    """Reads each noun once per job and checks its bytes against its sidecar."""

    def __init__(self) -> None:
        self._nouns: dict[str, Any] = {}
        self._links: dict[str, dict[str, str]] = {}

    def noun(self, file: str, kind: str) -> Any:
        """Return the noun in a file.

        Raises:
            JobError: The file is damaged or does not match its sidecar.
        """
        if file not in self._nouns:
            self._nouns[file] = self._read(file, kind)
        return self._nouns[file]

    def _read(self, file: str, kind: str) -> Any:
        from touchstone.records import encoding, metric_tables, nouns

        self.link(file)  # checks the bytes
        try:
            data = sidecar_files.read_artefact(Path(file))
            return metric_tables.decode(data) if kind == METRICS else encoding.decode(data, nouns.KINDS[kind])
        except ValueError as error:
            raise JobError(f"{file}: {error}. Delete the file and run the command again.") from error

    def forget(self, files: Iterable[str]) -> None:
        """Drop the nouns of these files, so that a job on many sets needs less memory."""
        for file in files:
            self._nouns.pop(file, None)

    def link(self, file: str) -> dict[str, str]:
        """Check a file's bytes; return the digests of its bytes and its sidecar.

        Raises:
            JobError: The file or its sidecar is damaged or missing, or they do not match.
        """
        if file not in self._links:
            path = Path(file)
            try:
                expected = sidecar_files.read_sidecar(path)["artefact"]
                actual = sidecar_files.artefact_digest(path)
            except ValueError as error:
                raise JobError(f"{error}. Delete the file and run the command again.") from error
            if actual != expected:
                raise JobError(
                    f"{file}: its bytes do not match its sidecar, which records {expected}; the bytes have {actual}."
                    " Delete the file and run the command again."
                )
            self._links[file] = {"file": file, "artefact": expected, "sidecar": sidecar_files.record_digest(path)}
        return self._links[file]
