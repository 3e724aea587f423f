"""Which claims rest on an artefact of a study."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from touchstone.audit.problems import UNREADABLE
from touchstone.audit.selection import Selection
from touchstone.claims.judging import StudyClaims
from touchstone.claims.measurements import Measured, Missing, quantities
from touchstone.provenance import job_folders
from touchstone.records import metric_tables
from touchstone.report.tables import numbered

MOST_CLAIMS = 6  # listed in one message


class RestingClaims:
    """The claims that rest on an artefact; they are looked up when the first problem needs them.

    Args:
        selection: The claims of the pack.
        folder: The unpacked pack.
    """

    def __init__(self, selection: Selection, folder: Path) -> None:
        self.selection, self.folder = selection, folder
        self._read: list[tuple[str, bool, frozenset[str]]] | None = None

    def on(self, *files: str, worst: bool = False) -> str:
        """Return "; claims that rest on it: ..." or "" if there are none.

        Args:
            files: Artefacts; claims on any of them count.
            worst: Whether only claims count that are about the worst of several attacks.
        """
        if self._read is None:
            self._read = list(self._rows())
        below = self._below(files)
        rests = [name for name, of_worst, read in self._read if read & below and (of_worst or not worst)]
        broken = [one.id for one in self.selection.book.criteria.values() if {*one.broken_by} & {*rests}]
        names = list(dict.fromkeys([*rests, *broken]))
        if self.selection.claims:
            names = [name for name in names if name in self.selection.claims] or names
        more = f" and {len(names) - MOST_CLAIMS} others" if len(names) > MOST_CLAIMS else ""
        return f"; claims that rest on it: {', '.join(names[:MOST_CLAIMS])}{more}" if names else ""

    def _below(self, files: tuple[str, ...]) -> set[str]:
        """Return the names of artefacts, and of everything that is computed from them."""
        found = set(files)
        for file in self.selection.files:  # each stands after its inputs
            if not found.isdisjoint(self.selection.tasks[file].input_files):
                found.add(file)
        return {job_folders.name_of(file) for file in found}

    def _rows(self) -> Iterator[tuple[str, bool, frozenset[str]]]:
        """Yield each claim, whether one of its numbers is of the worst attack, and the files that this was computed from."""
        metrics = {}
        for name in self.selection.evaluations:
            try:
                metrics[name] = metric_tables.decode((self.folder / self.selection.metrics[name]).read_bytes())
            except UNREADABLE:  # named before
                continue
        study = StudyClaims(**self.selection.plan.questions.claims())
        measured = Measured(numbered(metrics), study.components)
        for criterion in self.selection.book.criteria.values():
            chosen = study.claims.get(criterion.id)
            if chosen is None or isinstance(chosen, str) or not chosen.keys() >= criterion.roles.keys():
                continue
            for condition in criterion.conditions.values():
                try:
                    groups = list(quantities(condition, criterion, chosen, measured))
                except Missing:
                    continue
                for quantity in (each for group in groups for each in group):
                    for row in (quantity.row, *quantity.each):
                        yield criterion.id, bool(row.threat.worst_of), frozenset(row.files)
