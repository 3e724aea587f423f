"""The outputs of a job: whole files with their sidecars, and members of bundles."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from touchstone import digests
from touchstone.pipeline.provenance import bundles, sidecar_files
from touchstone.pipeline.provenance.addresses import Address

Record = dict[str, Any]


def action_of(facts: Record) -> str:
    """Return the key of an action.

    It is a digest of a record's facts. Inputs count only by their bytes, not by their provenance. A folder also counts by
    its name, which becomes the source of its images.
    """
    inputs = {role: [_identity(role, link) for link in links] for role, links in facts["inputs"].items()}
    kept = {name: value for name, value in facts.items() if name != "artefact"}
    return digests.sha256(digests.canonical({**kept, "inputs": inputs}).encode())


def _identity(role: str, link: dict[str, str]) -> str | list[str]:
    """Return the part of an input that decides an action's output."""
    return [link["artefact"], Path(link["file"]).name] if role == "folder" else link["artefact"]


class Outputs:
    """The outputs of one job.

    A bundle and its sidecar appear only if the job succeeds.
    """

    def __init__(self) -> None:
        self._bundles: dict[Path, bundles.Writer] = {}
        self._records: dict[Path, dict[str, Record]] = {}
        self._open = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.__exit__(kind, error, trace)
        if kind is None:
            for path, records in self._records.items():
                sidecar_files.write_bundle_sidecar(path, records)

    def keep_current(self, address: str, action: str, facts: Record) -> bool:
        """Keep an existing artefact of the same action, but rewrite its record.

        Args:
            address: The address of the artefact.
            action: The key of the action that would create it now.
            facts: The facts of its new record.

        Returns:
            Whether the artefact was kept.
        """
        path = Path(address)
        try:
            record = sidecar_files.read_sidecar(path)
            if action_of(record) != action or sidecar_files.artefact_digest(path) != record["artefact"]:
                return False
        except (ValueError, KeyError, TypeError, AttributeError, OSError):
            return False
        if Address.parse(path).member:
            self.write(address, sidecar_files.read_artefact(path), facts)
        else:
            path.touch()
            sidecar_files.write_sidecar(path, record["artefact"], facts)
        return True

    def write(self, address: str, data: bytes, facts: Record) -> bytes | Path:
        """Write an artefact and its record; return its file, or its bytes while its bundle is not finished."""
        place = Address.parse(address)
        path = Path(place.file)
        if not place.member:
            sidecar_files.write_with_sidecar(path, data, facts)
            return path
        bundle, records = self._bundle(path)
        bundle.add(place.member, data)
        records[place.member] = {"artefact": digests.sha256(data), **facts}
        return data

    def _bundle(self, path: Path) -> tuple[bundles.Writer, dict[str, Record]]:
        """Return the open bundle at a path and the records of its members so far."""
        if path not in self._bundles:
            self._bundles[path] = self._open.enter_context(bundles.written(path))
            self._records[path] = {}
        return self._bundles[path], self._records[path]
