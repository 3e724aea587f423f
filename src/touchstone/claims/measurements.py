"""The number that a condition of a claim judges: one row of an evaluation, chosen by the study's roles.

Evaluations write every number that is judged, differences and means included, with its interval. Nothing is computed
here but the complement of a share.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

from touchstone.claims.criteria import COMPLEMENT, Bound, Chosen, Condition, Criterion, RowQuery, assignments
from touchstone.claims.entry_words import called
from touchstone.evaluations.statistics.rows import MEAN
from touchstone.evaluations.statistics.wording import more_digits
from touchstone.messages import listed
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
        which: which of several things, if the claim asks the same of each, as people call them.
        names: {role: entry}, except the roles that the number is a mean over.
        words: {role: what people call its entry}.
        without: the seeds of its entry for which the evaluation has other numbers, but not this one.
    """

    value: float
    low: float
    high: float
    row: MetricRow
    complement: bool = False
    each: tuple[MetricRow, ...] = ()
    which: str = ""
    names: Mapping[str, str] = {}
    words: Mapping[str, str] = {}
    without: tuple[int, ...] = ()

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

    def __init__(
        self, rows: Iterable[MetricRow], components: Mapping[str, str], words: Mapping[str, str] | None = None
    ) -> None:
        """Index the rows by what they measure.

        Args:
            components: {evaluation: its component}, so that a criterion need not know the study's names.
            words: {entry: what people call it}.
        """
        self.components, self.words = set(components.values()), words or {}
        self._rows: dict[tuple[str, ...], list[MetricRow]] = {}
        self._seeds: dict[tuple[str, str], set[int]] = {}
        for row in rows:
            names = (components.get(row.evaluation, ""), row.measured, row.entry, row.examples)
            self._rows.setdefault(names, []).append(row)
            if row.seed is not None:
                self._seeds.setdefault((row.evaluation, row.entry), set()).add(row.seed)

    def of(
        self, rows: RowQuery, names: Mapping[str, str], evaluation: str = "", beside: Collection[str] = ()
    ) -> dict[int | None, MetricRow]:
        """Return {seed: row} of one evaluation, that of the mean with None.

        If several evaluations measure the same number, the one under the worst of most attacks counts, of these one that
        the claim's other numbers are from, and of these the one with most seeds.

        Args:
            rows: what is asked for.
            names: {role: entry}.
            evaluation: the study's name of the one that counts; "" for any.
            beside: the evaluations of the claim's other numbers.

        Raises:
            Missing: names the rows that there are none of.
        """
        if rows.evaluation not in self.components:
            raise Missing(f"an evaluation that uses {rows.evaluation}")
        metric = rows.metric.removeprefix(COMPLEMENT).format(**names)
        entry, examples = rows.entry.format(**names), rows.examples.format(**names)
        found: dict[str, dict[int | None, MetricRow]] = {}
        for row in self._rows.get((rows.evaluation, metric, entry, examples), []):
            if _allowed(row, rows) and evaluation in ("", row.evaluation):
                fitting = found.setdefault(row.evaluation, {})
                before = fitting.setdefault(row.seed, row)
                if _most_attacks(row) > _most_attacks(before):
                    fitting[row.seed] = row
                elif _most_attacks(row) == _most_attacks(before) and row.threat != before.threat:
                    both = f"{before.threat} and {row.threat}"
                    raise Missing(
                        f"one number of {metric} of {entry} on {examples} and seed {row.seed}: there are {both}"
                    )
        if not found:
            budget = "".join(f", {key} {value:g}" for key, value in rows.threat)
            raise Missing(f"{metric} of {entry} on {examples}{budget}")
        best = max(
            found, key=lambda name: (max(map(_most_attacks, found[name].values())), name in beside, len(found[name]))
        )
        return found[best]

    def without(self, found: Mapping[int | None, MetricRow]) -> tuple[int, ...]:
        """Return the seeds of an entry for which its evaluation has numbers, but none of those that `of` found."""
        row = next(iter(found.values()))
        own = {*found, *(seed for one in found.values() for seed in one.seeds)}
        return tuple(sorted(self._seeds.get((row.evaluation, row.entry), set()) - own))


def _most_attacks(row: MetricRow) -> int:
    return len(row.threat.worst_of)


def _allowed(row: MetricRow, rows: RowQuery) -> bool:
    """Return whether the row's threat model allows what the criterion says; threats state eps to six digits."""
    stated = dict(row.threat.budget)
    return all(key in stated and math.isclose(float(stated[key]), value, rel_tol=1e-5) for key, value in rows.threat)


def seeds_in_words(seeds: Collection[int]) -> str:
    """Return seeds by their numbers: "seeds 1 and 2"."""
    return f"seed{'s' * (len(seeds) > 1)} {listed([str(seed) for seed in seeds])}"


def _quantity(row: MetricRow, each: tuple[MetricRow, ...], condition: Condition) -> Quantity:
    low, high = -math.inf if row.low is None else row.low, math.inf if row.high is None else row.high
    if condition.comparison == EQUAL:  # no estimate: every network has to meet it
        low, high = min(one.value for one in each), max(one.value for one in each)
    if condition.rows.metric.startswith(COMPLEMENT):
        return Quantity(1 - row.value, 1 - high, 1 - low, row, True, each)
    return Quantity(row.value, low, high, row, False, each)


def quantities(
    condition: Condition, criterion: Criterion, chosen: Chosen, measured: Measured, beside: Collection[str] = ()
) -> Iterator[list[Quantity]]:
    """Yield, for each thing that is judged, its mean over seeds, or every seed if each is judged.

    Args:
        condition: what is asked.
        criterion: of the condition.
        chosen: who plays the roles.
        measured: the rows.
        beside: the evaluations that the criterion's numbers so far are from.

    Raises:
        Missing: a thing has no row, unless the condition is optional.
    """
    single = list(assignments(condition, criterion, chosen, "each"))
    differ = [role for role in condition.roles if len({names.get(role) for names in single}) > 1]
    for names in single:
        sets = [names | more for more in assignments(condition, criterion, chosen, "mean")]
        try:
            if len(sets) == 1:
                rows = measured.of(condition.rows, sets[0], beside=beside)
            else:
                rows = _mean_over_sets(condition, criterion, sets, measured)
        except Missing:
            if condition.optional:  # of one thing: those that follow it are judged all the same
                continue
            raise
        each = tuple(row for row in rows.values() if not row.is_mean)
        without = measured.without(rows)
        if not criterion.each_seed and len(each) > 1 and None not in rows:
            raise Missing(f"the mean over seeds of {each[0].metric} of {each[0].entry} on {each[0].examples}")
        if criterion.each_seed and without:
            raise Missing(f"{each[0].metric} of {each[0].entry} on {each[0].examples} for {seeds_in_words(without)}")
        judged = {row: (row,) for row in each} if criterion.each_seed else {rows.get(None, *each[:1]): each}
        words = {role: called(entry, measured.words) for role, entry in names.items()}
        which = ", ".join(words[role] for role in differ)
        yield [
            _quantity(row, of, condition)._replace(which=which, names=names, words=words, without=without)
            for row, of in judged.items()
        ]


def _mean_over_sets(
    condition: Condition, criterion: Criterion, sets: list[dict[str, str]], measured: Measured
) -> dict[int | None, MetricRow]:
    """Return the rows of the evaluation's mean over its sets, which have to be those of the claim."""
    over = [role for role in condition.roles if criterion.roles[role].many == "mean"]
    whole = measured.of(condition.rows, sets[0] | dict.fromkeys(over, MEAN))
    evaluation = next(iter(whole.values())).evaluation
    parts = [measured.of(condition.rows, names, evaluation) for names in sets]
    for seed, row in whole.items():
        values = [part[seed].value for part in parts if seed in part]
        if len(values) < len(parts) or not math.isclose(math.fsum(values) / len(values), row.value, abs_tol=1e-9):
            places = ", ".join(next(iter(part.values())).examples for part in parts)
            raise Missing(f"{row.metric} of {row.entry} as a mean over exactly {places}")
    return whole
