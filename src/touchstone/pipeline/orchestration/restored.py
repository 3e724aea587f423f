"""What a restore of Snakemake's records found: finished jobs, damaged and changed files."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from touchstone.pipeline.auditing.broken_links import RAW, Changed
from touchstone.pipeline.planning.parts import Rule

MOST_NAMED = 5  # changed files that are named; the others are only counted


@dataclass(frozen=True)
class Damage:
    """A file, or a folder of raw files, that differs from its sidecar's digest."""

    file: str
    expected: str
    actual: str

    def __str__(self) -> str:
        if not self.file.startswith(RAW):
            return f"{self.file}: its bytes do not match its sidecar; it will be recomputed"
        source = self.file.removeprefix(RAW)
        return (
            f"{self.file}: these are not the raw files that were fetched: expected {self.expected}, found {self.actual};"
            f" they will be fetched again. To use other raw files, change sources.{source}"
        )


@dataclass(frozen=True)
class Finished:
    """A job whose files and sidecars exist.

    Attributes:
        record: the record that follows from the sidecars.
        kept: Snakemake's record of each file.
    """

    rule: Rule
    wildcards: dict[str, str]
    record: dict[str, Any]
    kept: dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Restored:
    """The result of a restore.

    Attributes:
        written: the number of records that were written.
        damaged: files whose bytes do not match their sidecar.
        changed: files that changed together with their sidecar after others were created from them.
        finished: jobs whose files and sidecars exist.
    """

    written: int
    damaged: list[Damage]
    changed: list[Changed] = field(default_factory=list)
    finished: list[Finished] = field(default_factory=list, compare=False, repr=False)

    def messages(self) -> list[str]:
        """Return the warnings that the user should see before the first job."""
        lines = [str(damage) for damage in self.damaged] + [str(changed) for changed in self.changed[:MOST_NAMED]]
        if more := self.changed[MOST_NAMED:]:
            lines.append(f"{len(more)} more files changed after others were created from them, such as {more[0].file}")
        return lines
