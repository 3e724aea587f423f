"""The number that a condition of a claim needs: rows selected by the study's roles, combined, with an interval.

Intervals are combined end by end: a difference extends from the smallest to the largest value that both intervals
allow. It contains the truth whenever both intervals do, however the two numbers depend on each other. This is wide.
Therefore a difference on the same inputs is a metric of its own, with the interval of the paired bootstrap, and
criteria name that.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from typing import NamedTuple

from touchstone.claims.criteria import Condition, Criterion, RowQuery
from touchstone.records.metric_rows import MetricRow

Chosen = Mapping[str, str | list[str]]  # {role: entry}, or {role: entries} if several play it
COMPLEMENT = "1 - "
EQUAL = "equals"  # of criteria.COMPARISONS
MEAN = "mean_of_sets"  # what evaluations call the mean over all their OOD sets


class Missing(ValueError):
    """RowQuery that a claim needs and the study does not have, in words."""


class Quantity(NamedTuple):
    """A number, the ends of its 95 % interval (infinite if it has none), and the rows that it was computed from.

    Attributes:
        about: the entry and the examples of the rows.
        which: which of several things, if the claim asks the same of each.
        names: {role: entry}, except the roles that the number is a mean over.
    """

    value: float
    low: float
    high: float
    unit: str
    rows: tuple[MetricRow, ...]
    about: str = ""
    which: str = ""
    names: Mapping[str, str] = {}

    @property
    def seeds(self) -> list[int]:
        """The seeds of the networks behind it."""
        return sorted({row.seed for row in self.rows if row.seed is not None})

    @property
    def n(self) -> int:
        """The number of inputs of the row with the fewest."""
        return min(row.n for row in self.rows)


class Measured:
    """The rows of a study by what they measure."""

    def __init__(self, rows: Iterable[MetricRow], components: Mapping[str, str]) -> None:
        """Index the rows by what they measure.

        Args:
            components: {evaluation: its component}, so that a criterion need not know the study's names.
        """
        self.components = set(components.values())
        self._rows: dict[tuple[str, ...], dict[int | None, MetricRow]] = {}
        for row in rows:
            names = (components.get(row.evaluation, ""), row.metric, row.entry, row.examples)
            # Two evaluations may measure the same number; the first counts.
            self._rows.setdefault(names, {}).setdefault(row.seed, row)

    def by_seed(self, rows: RowQuery, names: Mapping[str, str]) -> dict[int | None, Quantity]:
        """Return {seed: the number}; Missing names the rows that there are none of."""
        if rows.evaluation not in self.components:
            raise Missing(f"an evaluation that uses {rows.evaluation}")
        metric = rows.metric.removeprefix(COMPLEMENT).format(**names)
        entry, examples = rows.entry.format(**names), rows.examples.format(**names)
        by_seed = self._rows.get((rows.evaluation, metric, entry, examples), {})
        fitting = {seed: row for seed, row in by_seed.items() if _allowed(row, rows) and math.isfinite(row.value)}
        if not fitting:
            budget = "".join(f", {key} {value:g}" for key, value in rows.threat)
            raise Missing(f"{metric} of {entry} on {examples}{budget}")
        return {seed: _quantity(row, rows.metric.startswith(COMPLEMENT)) for seed, row in fitting.items()}


def _allowed(row: MetricRow, rows: RowQuery) -> bool:
    """Return whether the row's threat model allows what the criterion says; threats state eps to six digits."""
    stated = dict(row.threat.budget)
    return all(key in stated and math.isclose(float(stated[key]), value, rel_tol=1e-5) for key, value in rows.threat)


def _quantity(row: MetricRow, complement: bool) -> Quantity:
    low = -math.inf if row.low is None else row.low
    high = math.inf if row.high is None else row.high
    about = f"{row.entry} on {row.examples}"
    if complement:
        return Quantity(1 - row.value, 1 - high, 1 - low, row.unit, (row,), about)
    return Quantity(row.value, low, high, row.unit, (row,), about)


def quantities(
    condition: Condition, criterion: Criterion, chosen: Chosen, measured: Measured
) -> Iterator[list[Quantity]]:
    """Yield, for each thing that is judged, its mean over seeds, or every seed if each is judged.

    The interval of the mean is the hull of its seeds' intervals, from the lowest end to the highest, so that it covers
    another seed as well as another test set. A number that has to be equal is no estimate: its ends are its least and
    greatest seed.
    """
    single = list(_assignments(condition, criterion, chosen, "each"))
    differ = [role for role in condition.roles if len({names.get(role) for names in single}) > 1]
    for names in single:
        means = [names | more for more in _assignments(condition, criterion, chosen, "mean")]
        by_seed = _mean_over_sets([_difference(condition, criterion, each, measured) for each in means])
        by_seed |= _drawn_together(by_seed, condition, criterion, names, measured)
        if condition.comparison == EQUAL:
            by_seed = {seed: each._replace(low=each.value, high=each.value) for seed, each in by_seed.items()}
        judged = list(by_seed.values()) if criterion.each_seed else [_mean_over_seeds(list(by_seed.values()))]
        which = ", ".join(names[role] for role in differ)
        yield [quantity._replace(which=which, names=names) for quantity in judged]


def _assignments(condition: Condition, criterion: Criterion, chosen: Chosen, many: str) -> Iterator[dict[str, str]]:
    """Yield {role: entry} for the roles that a condition names, one for each combination of entries of `many` roles."""
    names: dict[str, str] = {}
    axes: list[list[dict[str, str]]] = []
    for role in condition.roles:
        entries = chosen[role]
        if not isinstance(entries, list):
            names[role] = entries
        elif criterion.roles[role].many == many and role not in criterion.together:
            axes.append([{role: entry} for entry in entries])
    side_by_side = [role for role in criterion.together if role in condition.roles and many == "each"]
    if side_by_side:
        columns = [chosen[role] for role in side_by_side]
        axes.append([dict(zip(side_by_side, row, strict=True)) for row in zip(*columns, strict=True)])
    for parts in product(*axes):
        yield names | {role: entry for part in parts for role, entry in part.items()}


def _difference(
    condition: Condition, criterion: Criterion, names: dict[str, str], measured: Measured
) -> dict[int | None, Quantity]:
    """Return the condition's number per seed; the number subtracted has the same seed, or its first."""
    first = measured.by_seed(condition.rows, names)
    if condition.minus is None:
        return first
    second = measured.by_seed(condition.minus, names)
    fallback = second[min(second, key=lambda seed: -1 if seed is None else seed)]
    differences = {}
    for seed, one in first.items():
        other = second.get(seed, fallback)
        if criterion.together and _eps(one) != _eps(other):
            raise Missing(f"{one.about} and {other.about} under one eps: they have {_eps(one)} and {_eps(other)}")
        differences[seed] = _less(one, other, condition.times)
    return differences


def _eps(quantity: Quantity) -> float | None:
    return quantity.rows[0].threat.eps


def _less(one: Quantity, other: Quantity, times: float) -> Quantity:
    unit = "difference of fractions" if one.unit == other.unit == "fraction" else one.unit
    weight = "" if times == 1 else f"{times:g} * "
    return Quantity(
        one.value - times * other.value,
        one.low - times * other.high,
        one.high - times * other.low,
        unit,
        one.rows + other.rows,
        f"{one.about} minus {weight}{other.about}",
    )


def _mean_over_sets(sets: list[dict[int | None, Quantity]]) -> dict[int | None, Quantity]:
    """Return per seed the mean over sets; its ends are the means of their ends, because the sets are fixed, not drawn."""
    if len(sets) == 1:
        return sets[0]
    seeds = [seed for seed in sets[0] if all(seed in other for other in sets)]
    if not seeds:
        raise Missing("one seed on all sets: " + ", ".join(next(iter(each.values())).about for each in sets))
    return {seed: _averaged([each[seed] for each in sets]) for seed in seeds}


def _drawn_together(
    means: dict[int | None, Quantity],
    condition: Condition,
    criterion: Criterion,
    names: dict[str, str],
    measured: Measured,
) -> dict[int | None, Quantity]:
    """Return, per seed, the same means as the evaluation gives over all its sets, with their intervals.

    The evaluation draws the in-distribution inputs, which all sets share, once for all of them. The mean of the sets'
    own ends cannot do this. Nothing is returned if the evaluation has other sets than the claim, because its mean is
    another number.
    """
    over = [role for role in condition.roles if criterion.roles[role].many == "mean"]
    if not over:
        return {}
    try:
        whole = _difference(condition, criterion, names | dict.fromkeys(over, MEAN), measured)
    except Missing:
        return {}
    return {
        seed: each
        for seed, each in whole.items()
        if seed in means and math.isclose(each.value, means[seed].value, abs_tol=1e-9)
    }


def _averaged(group: list[Quantity]) -> Quantity:
    value, low, high = (math.fsum(ends) / len(group) for ends in zip(*(each[:3] for each in group), strict=True))
    rows = tuple(row for each in group for row in each.rows)
    return Quantity(value, low, high, group[0].unit, rows, f"mean of {len(group)}: {group[0].about}, ...")


def _mean_over_seeds(group: list[Quantity]) -> Quantity:
    low, high = min(each.low for each in group), max(each.high for each in group)
    rows = tuple({id(row): row for each in group for row in each.rows}.values())
    value = math.fsum(each.value for each in group) / len(group)
    return Quantity(value, low, high, group[0].unit, rows, group[0].about)
