"""Detect broken links: inputs that changed or disappeared after their use."""

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
    """A file that changed together with its sidecar after others were created from it.

    Attributes:
        file: the changed file.
        part: what changed, "its bytes" or "its sidecar".
        outputs: the files that were created from it before.
    """

    file: str
    part: str
    outputs: list[str]

    def __str__(self) -> str:
        study = self.outputs[0].split("/")[1]
        return (
            f"{self.file}: {self.part} changed after {len(self.outputs)} files were created from it, such as"
            f" {self.outputs[0]}. They will be recomputed from the current file. This is correct if one of your runs changed"
            f" it and ended early. If not, stop, delete it and run again; touchstone audit {study} checks all files"
        )


class Sidecars:
    """The sidecars of a study; each record is read once, and its digest stored."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._digests: dict[str, str | None] = {}
        self._contents: dict[str, dict[str, Any] | None] = {}

    def all(self, outputs: list[str]) -> dict[str, dict[str, Any]] | None:
        """Return {output: record}; None if a file or its sidecar is missing or unreadable.

        A member that its bundle lacks is omitted: the setting that requires it is newer than the bundle.
        """
        records = dict[str, dict[str, Any]]()
        for output in outputs:
            record = self._read(output)
            if record is not None:
                records[output] = record
            elif not Address.parse(output).member or self._read(Address.parse(output).file) is None:
                return None
        return records

    def record_digest(self, address: str) -> str | None:
        """Return the digest of an artefact's record; None if the artefact or its record is missing: a broken link."""
        if address not in self._digests:
            self._read(address)
        return self._digests[address]

    def _read(self, address: str) -> dict[str, Any] | None:
        """Return an artefact's record; None if it or its sidecar is missing or unreadable."""
        place, record = Address.parse(address), None
        if place.file not in self._contents:
            path = self._root / place.file
            self._contents[place.file] = None
            with contextlib.suppress(ValueError, OSError):
                self._contents[place.file] = sidecar_files.read_sidecar(path) if path.exists() else None
        content, self._digests[address] = self._contents[place.file], None
        if content is not None and not place.member and ("members" in content or not sidecar_files.malformed(content)):
            record, self._digests[address] = content, sidecar_files.record_digest(self._root / place.file)
        elif content is not None and place.member:
            with contextlib.suppress(ValueError):
                member = sidecar_files.record_of(self._root / place.file, content, place.member)
                if not sidecar_files.malformed(member):
                    record, self._digests[address] = member, sidecar_files.digest_of_record(member)
        return record

    def broken_links(self, sidecars: dict[str, dict[str, Any]]) -> list[tuple[dict[str, str], str]]:
        """Return (link, output) for the inputs that are missing or have another sidecar.

        Raw files may be missing. A failed job causes such links: Snakemake removes its outputs and considers the files
        that depend on them up to date.
        """
        broken = []
        for output, sidecar in sidecars.items():
            for link in (link for group in sidecar["inputs"].values() for link in group):
                file = str(link["file"])
                now = self.record_digest(file)
                if now != link["sidecar"] and not (now is None and file.startswith(RAW)):
                    broken.append((link, output))
        return broken

    def changed(self, broken_links: list[tuple[dict[str, str], str]]) -> list[Changed]:
        """Return the existing inputs of broken links, each with its outputs."""
        changes: dict[str, Changed] = {}
        for link, output in broken_links:
            file = link["file"]
            if file not in changes and self._digests[file] is not None:
                with contextlib.suppress(ValueError):  # its sidecar is unreadable, so it will be recomputed
                    sidecar = sidecar_files.read_sidecar(self._root / file)
                    changes[file] = Changed(
                        file, "its bytes" if sidecar["artefact"] != link["artefact"] else "its sidecar", []
                    )
            if file in changes and changes[file].outputs[-1:] != [output]:  # an output may link to a file twice
                changes[file].outputs.append(output)
        return list(changes.values())
