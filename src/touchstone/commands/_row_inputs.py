"""What a number rests on: its networks with their seeds, and the example sets that it was measured on."""

from __future__ import annotations

from functools import cache
from typing import Any

from touchstone import registry
from touchstone.pipeline.planning.parts import Net, Set
from touchstone.pipeline.planning.plan import Plan
from touchstone.provenance.job_folders import name_of
from touchstone.records.metric_tables import MetricRow

NETWORKS = ("classifiers", "translators", "defences")  # the sections of what has seeds
LEARNED_FROM = ("fit_", "calibration_")  # prefixes of the roles of cells that a number was not measured on


class RowInputs:
    """The networks and the sets behind the numbers of a study."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._paths = {name_of(path): path for path in plan.tasks}
        self._set_of = cache(self._sets_by_file)

    def behind(self, row: MetricRow) -> list[str]:
        """Return the paths of all artefacts behind a number.

        Raises:
            KeyError: No task of the study makes one of the row's files.
        """
        waiting, seen = [self._paths[name] for name in row.files], dict[str, None]()
        while waiting:
            path = waiting.pop()
            if path not in seen:
                seen[path] = None
                waiting += self._plan.tasks[path].input_files
        return list(seen)

    def about(self, path: str) -> tuple[Any, ...]:
        """Return the networks and sets that an artefact is about."""
        return self._plan.layout.made_by[path][1]

    def networks(self, row: MetricRow) -> dict[str, set[int]]:
        """Return {entry: its seeds} of the networks and defences behind a number; KeyError as `behind`."""
        networks: dict[str, set[int]] = {}
        for part in (part for path in self.behind(row) for part in self.about(path)):
            net = Net.parse(part.victim) if isinstance(part, Set) and part.victim else part
            if isinstance(net, Net):
                networks.setdefault(net.entry, set()).add(net.seed)
        return networks

    def extensible(self, row: MetricRow) -> list[tuple[str, str]]:
        """Return (section, entry) of the networks behind a mean that have all its seeds, so that they can have more.

        A network with fewer serves all seeds. If there is no other, each network is an entry of its own.
        """
        return [
            (section, entry)
            for entry, seeds in self.networks(row).items()
            for section in NETWORKS
            if entry in self._plan.study[section] and seeds >= set(row.seeds)
        ]

    def sets(self, row: MetricRow) -> list[str]:
        """Return the sets that a number was measured on; none if the study's settings changed since its report."""
        known = self._set_of(row.evaluation) if row.evaluation in self._plan.study["evaluations"] else {}
        if not known.keys() >= set(row.files):
            return []
        return [name for name in dict.fromkeys(known[file] for file in row.files) if name]

    def _sets_by_file(self, evaluation: str) -> dict[str, str]:
        """Return {file: its set} of all that an evaluation reads; "" if the file is of no set that is tested on."""
        roles = registry.used(self._plan.study["evaluations"][evaluation]["use"]).call.data
        return {
            name_of(cell.file): "" if cell.role.startswith(LEARNED_FROM) else cell.facts["examples"]
            for cell in self._plan.questions.cells(evaluation, roles)
        }
