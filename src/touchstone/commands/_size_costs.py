"""What more seeds and images of a number cost on this machine, from the run records of the jobs behind it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from touchstone.commands._row_inputs import RowInputs
from touchstone.pipeline.jobs import run_records
from touchstone.pipeline.planning.parts import Rule
from touchstone.pipeline.planning.plan import Plan
from touchstone.pipeline.provenance.addresses import files_of
from touchstone.records.metric_rows import seedless
from touchstone.records.metric_tables import MetricRow

NETWORK = re.compile(r"[a-z][a-z0-9_]*\.(\d+)")

Job = tuple[str, tuple[tuple[str, str], ...]]  # a rule and its wildcards


def _key(rule: str, wildcards: dict[str, str]) -> Job:
    return rule, tuple(sorted(wildcards.items()))


class Price(NamedTuple):
    """What one seed of a number takes, in seconds of jobs.

    Attributes:
        fixed: of jobs that do not grow with its images, such as training.
        per_images: of the jobs that do, with the present images.
    """

    fixed: float
    per_images: float

    def seconds(self, now: tuple[int, int], then: tuple[int, int]) -> float:
        """Return the additional seconds of a design. If images are added, every seed processes all images again.

        Args:
            now: the present seeds and images.
            then: those of the design.
        """
        more = then[0] - now[0]
        seen = more if then[1] == now[1] else then[0]
        return self.fixed * more + self.per_images * seen * then[1] / now[1]


@dataclass
class _Kind:
    """The jobs of one rule that differ by their networks' seeds only."""

    jobs: list[Job]
    seeds: set[int]
    grows: bool


class Prices:
    """The prices of a study's numbers."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._inputs = RowInputs(plan)
        self._seconds = _recorded(Path("logs") / plan.study.name)

    def of(self, row: MetricRow) -> Price | None:
        """Return the price of one more seed of a mean; None if a job behind it has no recorded time.

        A job whose files came from the action cache took no time worth recording.
        """
        try:
            kinds = self._kinds(row).values()
        except KeyError:  # the study's settings changed since its report
            return None
        fixed = growing = 0.0
        own = set[int | None](row.seeds) or {row.seed}  # a number of one network has no list of seeds
        for kind in kinds:
            if not own <= kind.seeds:  # these jobs are about a network that all seeds share, and need no repetition
                continue
            known = [self._seconds[job] for job in kind.jobs if job in self._seconds]
            if not known:
                return None
            per_seed = sum(known) / len(known) * len(kind.jobs) / len(kind.seeds)
            fixed, growing = (fixed, growing + per_seed) if kind.grows else (fixed + per_seed, growing)
        return Price(fixed, growing)

    def _kinds(self, row: MetricRow) -> dict[Job, _Kind]:
        """Return the jobs behind a number, by what they are without their seeds."""
        kinds, sets = dict[Job, _Kind](), self._inputs.sets(row)
        for rule, wildcards in self._plan.jobs_behind(files_of(row.files)):
            kind = kinds.setdefault(_alike(rule, wildcards), _Kind([], set(), _grows(rule, sets)))
            kind.jobs.append(_key(rule.name, wildcards))
            kind.seeds |= _seeds_in(wildcards)
        return kinds


def _alike(rule: Rule, wildcards: dict[str, str]) -> Job:
    """Return what a job is without the seeds of its networks."""
    return _key(rule.name, {name: seedless(value) for name, value in wildcards.items() if name != "seed"})


def _seeds_in(wildcards: dict[str, str]) -> set[int]:
    named = {int(seed) for value in wildcards.values() for seed in NETWORK.findall(value)}
    return named | {int(wildcards["seed"])} if "seed" in wildcards else named


def _grows(rule: Rule, sets: Collection[str]) -> bool:
    return rule.batch is not None and any(examples.examples in sets for examples in rule.batch.sets)


def _recorded(logs: Path) -> dict[Job, float]:
    """Return the seconds of the jobs that computed all their files themselves."""
    whole: Iterable[dict[str, Any]] = (
        record
        for record in run_records.read(logs)
        if "end" in record and not record.get("failed") and not record.get("from_cache")
    )
    return {_key(record["rule"], record["wildcards"]): run_records.seconds(record) for record in whole}
