"""Links between files and their inputs that hold no longer, found by the sidecars of a study."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from touchstone.pipeline.provenance import sidecar_files
from touchstone.pipeline.provenance.addresses import Address

RAW = "data/raw/"


@dataclass(frozen=True)
class Changed:
    """A file that changed together with its sidecar after others were made from it, so that the chain is broken there."""

    file: str
    what: str
    made: list[str]

    def __str__(self) -> str:
        study = self.made[0].split("/")[1]
        return (
            f"{self.file}: {self.what} changed after {len(self.made)} files were made from it, such as {self.made[0]}."
            " They will be made again from the file as it is now. That is right if a run of yours changed it and ended"
            f" early. If not, stop, delete it and run again; touchstone audit {study} checks all files"
        )


class Sidecars:
    """Reads each record once, and keeps its digest."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._digests: dict[str, str | None] = {}
        self._contents: dict[str, dict[str, Any] | None] = {}

    def all(self, outputs: list[str]) -> dict[str, dict[str, Any]] | None:
        """Return the outputs' records; None if a file or its sidecar is missing or not readable: nothing to record.

        A member that its bundle lacks is left out: a setting asks for it that is younger than the bundle.
        """
        found = dict[str, dict[str, Any]]()
        for output in outputs:
            record = self._read(output)
            if record is not None:
                found[output] = record
            elif not Address.parse(output).member or self._read(Address.parse(output).file) is None:
                return None
        return found

    def _read(self, address: str) -> dict[str, Any] | None:
        """Return the record of an artefact; None if one of both is missing or not readable."""
        place, record = Address.parse(address), None
        if place.file not in self._contents:
            path = self._root / place.file
            self._contents[place.file] = None
            with contextlib.suppress(ValueError, OSError):
                self._contents[place.file] = sidecar_files.read_sidecar(path) if path.exists() else None
        content, self._digests[address] = self._contents[place.file], None
        if content is not None and not place.member:
            record, self._digests[address] = content, sidecar_files.record_digest(self._root / place.file)
        elif content is not None:
            with contextlib.suppress(ValueError):
                record = sidecar_files.record_of(self._root / place.file, content, place.member)
                self._digests[address] = sidecar_files.digest_of_record(record)
        return record

    def broken_links(self, sidecars: dict[str, dict[str, Any]]) -> list[tuple[dict[str, str], str]]:
        """Return the links of outputs to inputs that are gone, or have another sidecar than then, each with the output.

        Raw files may be gone. A job that fails leaves such outputs downstream: Snakemake removes its own outputs and takes
        the rest for current.
        """
        broken = []
        for output, sidecar in sidecars.items():
            for link in (link for found in sidecar["inputs"].values() for link in found):
                file = str(link["file"])
                if file not in self._digests:
                    self._read(file)
                now = self._digests[file]
                if now != link["sidecar"] and not (now is None and file.startswith(RAW)):
                    broken.append((link, output))
        return broken

    def changed(self, broken_links: list[tuple[dict[str, str], str]]) -> list[Changed]:
        """Return the inputs at broken links that are there, each with all that was made from it before it changed."""
        found: dict[str, Changed] = {}
        for link, output in broken_links:
            file = link["file"]
            if file not in found and self._digests[file] is not None:
                with contextlib.suppress(ValueError):  # its sidecar is not readable, so it will be made again
                    sidecar = sidecar_files.read_sidecar(self._root / file)
                    found[file] = Changed(
                        file, "its bytes" if sidecar["artefact"] != link["artefact"] else "its sidecar", []
                    )
            if file in found and found[file].made[-1:] != [output]:  # it may link to a file twice
                found[file].made.append(output)
        return list(found.values())
