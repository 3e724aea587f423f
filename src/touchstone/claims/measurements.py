"""The number that a condition of a claim judges: one row of an evaluation, chosen by the study's roles.

Evaluations write every number that is judged, differences and means included, with its interval. Nothing is computed
here but the complement of a share.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from touchstone.claims.criteria import COMPLEMENT, Bound, Chosen, Condition, Criterion, RowQuery, assignments
from touchstone.evaluations.statistics.rows import MEAN
from touchstone.evaluations.statistics.wording import more_digits
from touchstone.records.metric_tables import MetricRow

EQUAL = "equals"  # of criteria.COMPARISONS


class Missing(ValueError):
    """RowQuery that a claim needs and the study does not have, in words."""


class Quantity(NamedTuple):
    """A number, the ends of its interval (infinite if it has none), and the row that holds it.

    Attributes:
        row: of the mean over seeds, or of the only network.
        complement: whether the number is 1 minus the row's.
        each: the rows of the single networks.
        which: which of several things, if the claim asks the same of each.
        names: {role: entry}, except the roles that the number is a mean over.
    """

    value: float
    low: float
    high: float
    row: MetricRow
    complement: bool = False
    each: tuple[MetricRow, ...] = ()
    which: str = ""
    names: Mapping[str, str] = {}

    @property
    def unit(self) -> str:
        """The row's unit."""
        return self.row.unit

    @property
    def about(self) -> str:
        """The entry and the examples of the row."""
        return f"{self.row.entry} on {self.row.examples}"

    @property
    def seeds(self) -> list[int]:
        """The seeds of the networks behind it."""
        return list(self.row.seeds) or ([] if self.row.seed is None else [self.row.seed])

    @property
    def n(self) -> int:
        """The number of inputs."""
        return self.row.n

    def digits_beside(self, bound: Bound | None) -> int:
        """Return how many digits more than usual it and its ends need beside a bound."""
        bounds = () if bound is None else bound if isinstance(bound, tuple) else (bound,)
        return more_digits([end for end in self[:3] if math.isfinite(end)], bounds, self.unit)


class Measured:
    """The rows of a study by what they measure."""

    def __init__(self, rows: Iterable[MetricRow], components: Mapping[str, str]) -> None:
        """Index the rows by what they measure.

        Args:
            components: {evaluation: its component}, so that a criterion need not know the study's names.
        """
        self.components = set(components.values())
        self._rows: dict[tuple[str, ...], list[MetricRow]] = {}
        for row in rows:
            names = (components.get(row.evaluation, ""), row.measured, row.entry, row.examples)
            self._rows.setdefault(names, []).append(row)

    def of(self, rows: RowQuery, names: Mapping[str, str]) -> dict[int | None, MetricRow]:
        """Return {seed: row}, that of the mean with None.

        Raises:
            Missing: names the rows that there are none of, or the seeds for which the number is not defined.
        """
        if rows.evaluation not in self.components:
            raise Missing(f"an evaluation that uses {rows.evaluation}")
        metric = rows.metric.removeprefix(COMPLEMENT).format(**names)
        entry, examples = rows.entry.format(**names), rows.examples.format(**names)
        allowed = [row for row in self._rows.get((rows.evaluation, metric, entry, examples), []) if _allowed(row, rows)]
        fitting: dict[int | None, MetricRow] = {}
        for row in allowed:
            if math.isfinite(row.value):
                # Two evaluations may measure the same number; that under the worst of most attacks counts.
                before = fitting.setdefault(row.seed, row)
                if len(row.threat.worst_of) > len(before.threat.worst_of):
                    fitting[row.seed] = row
        undefined = sorted({row.seed for row in allowed if row.seed is not None} - fitting.keys())
        if undefined or not fitting:
            budget = "".join(f", {key} {value:g}" for key, value in rows.threat)
            seeds = f", which is not defined for seed {', '.join(map(str, undefined))}" if undefined else ""
            raise Missing(f"{metric} of {entry} on {examples}{budget}{seeds}")
        return fitting


def _allowed(row: MetricRow, rows: RowQuery) -> bool:
    """Return whether the row's threat model allows what the criterion says; threats state eps to six digits."""
    stated = dict(row.threat.budget)
    return all(key in stated and math.isclose(float(stated[key]), value, rel_tol=1e-5) for key, value in rows.threat)


def _quantity(row: MetricRow, each: tuple[MetricRow, ...], condition: Condition) -> Quantity:
    low, high = -math.inf if row.low is None else row.low, math.inf if row.high is None else row.high
    if condition.comparison == EQUAL:  # no estimate: every network has to meet it
        low, high = min(one.value for one in each), max(one.value for one in each)
    if condition.rows.metric.startswith(COMPLEMENT):
        return Quantity(1 - row.value, 1 - high, 1 - low, row, True, each)
    return Quantity(row.value, low, high, row, False, each)


def quantities(
    condition: Condition, criterion: Criterion, chosen: Chosen, measured: Measured
) -> Iterator[list[Quantity]]:
    """Yield, for each thing that is judged, its mean over seeds, or every seed if each is judged.

    Raises:
        Missing: a thing has no row, unless the condition is optional.
    """
    single = list(assignments(condition, criterion, chosen, "each"))
    differ = [role for role in condition.roles if len({names.get(role) for names in single}) > 1]
    for names in single:
        sets = [names | more for more in assignments(condition, criterion, chosen, "mean")]
        try:
            if len(sets) == 1:
                rows = measured.of(condition.rows, sets[0])
            else:
                rows = _mean_over_sets(condition, criterion, sets, measured)
        except Missing:
            if condition.optional:  # of one thing: those that follow it are judged all the same
                continue
            raise
        each = tuple(row for row in rows.values() if not row.is_mean)
        if not criterion.each_seed and len(each) > 1 and None not in rows:
            raise Missing(f"the mean over seeds of {each[0].metric} of {each[0].entry} on {each[0].examples}")
        judged = {row: (row,) for row in each} if criterion.each_seed else {rows.get(None, *each[:1]): each}
        which = ", ".join(names[role] for role in differ)
        yield [_quantity(row, of, condition)._replace(which=which, names=names) for row, of in judged.items()]


def _mean_over_sets(
    condition: Condition, criterion: Criterion, sets: list[dict[str, str]], measured: Measured
) -> dict[int | None, MetricRow]:
    """Return the rows of the evaluation's mean over its sets, which have to be those of the claim."""
    over = [role for role in condition.roles if criterion.roles[role].many == "mean"]
    whole = measured.of(condition.rows, sets[0] | dict.fromkeys(over, MEAN))
    parts = [measured.of(condition.rows, names) for names in sets]
    for seed, row in whole.items():
        values = [part[seed].value for part in parts if seed in part]
        if len(values) < len(parts) or not math.isclose(math.fsum(values) / len(values), row.value, abs_tol=1e-9):
            listed = ", ".join(next(iter(part.values())).examples for part in parts)
            raise Missing(f"{row.metric} of {row.entry} as a mean over exactly {listed}")
    return whole
