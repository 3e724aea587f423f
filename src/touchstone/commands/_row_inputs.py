"""What a number rests on: its networks with their seeds, and the example sets that it was measured on."""

from __future__ import annotations

from functools import cache

from touchstone import registry
from touchstone.pipeline.planning.parts import Net
from touchstone.pipeline.planning.plan import Plan
from touchstone.records.metric_tables import MetricRow

NETWORKS = ("classifiers", "translators", "defences")  # the sections of what has seeds
LEARNED_FROM = ("fit_", "calibration_")  # prefixes of the roles of cells that a number was not measured on


class RowInputs:
    """The networks and the sets behind the numbers of a study."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._set_of = cache(self._sets_by_file)

    def networks(self, row: MetricRow) -> dict[str, set[int]]:
        """Return {entry: its seeds} of the networks and defences behind a number."""
        networks: dict[str, set[int]] = {}
        waiting, seen = list(row.files), set[str]()
        while waiting:
            address = waiting.pop()
            if address in seen:
                continue
            seen.add(address)
            rule, wildcards = self._plan.maker(address)
            for net in (Net.parse(wildcards[name]) for name in ("trained", "net", "victim") if name in wildcards):
                networks.setdefault(net.entry, set()).add(net.seed)
            # Only what made this very file: a job also treats other entries, which the number does not rest on.
            waiting += [
                name
                for task in self._plan.tasks(rule, **wildcards)
                if task.output == address
                for name in task.input_files
            ]
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
            cell.file: "" if cell.role.startswith(LEARNED_FROM) else cell.facts["examples"]
            for cell in self._plan.questions.cells(evaluation, roles)
        }
