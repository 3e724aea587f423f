"""What a restore of Snakemake's records found: finished jobs, damaged and changed files."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from touchstone.pipeline.auditing.broken_links import RAW, Changed
from touchstone.pipeline.planning.parts import Rule

KEEP, RERUN = "keep", "rerun"  # files that were created under another requirements.lock
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
        other_lock: files that were created under another requirements.lock.
        lock: KEEP or RERUN, the treatment of `other_lock`.
        changed: files that changed together with their sidecar after others were created from them.
        finished: jobs whose files and sidecars exist.
    """

    written: int
    damaged: list[Damage]
    other_lock: list[str] = field(default_factory=list)
    lock: str = KEEP
    changed: list[Changed] = field(default_factory=list)
    finished: list[Finished] = field(default_factory=list, compare=False, repr=False)

    def messages(self) -> list[str]:
        """Return the warnings that the user should see before the first job."""
        lines = [str(damage) for damage in self.damaged] + [str(changed) for changed in self.changed[:MOST_NAMED]]
        if more := self.changed[MOST_NAMED:]:
            lines.append(f"{len(more)} more files changed after others were created from them, such as {more[0].file}")
        if self.other_lock:
            action = "kept (lock=rerun recomputes them)" if self.lock == KEEP else "they will be recomputed"
            lines.append(f"{len(self.other_lock)} files were created under another requirements.lock: {action}")
        return lines
