"""The checks of the attacks as a grid, failures first, and which attacks were not checked."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from touchstone.evaluations.statistics.places import place_of
from touchstone.evaluations.statistics.sanity_checks import CHECKS, PASSED, Doubts
from touchstone.records.metric_rows import TRANSFER
from touchstone.records.metric_tables import MetricRow
from touchstone.report.accuracies import ATTACKED
from touchstone.report.tables import Number, Numbers

FEW = 12  # lines that need no folding
ONE_STEP = ("fgsm", "fgsm_log_probability")  # the attacks that take one step


class Result(NamedTuple):
    """The value of one check, and whether it passed."""

    number: Number
    passed: bool


class Line(NamedTuple):
    """One attack on one classifier: what is known of the attacker, and its checks."""

    classifier: str
    attack: str
    threat: str
    results: tuple[Result | None, ...]
    weak: bool = False  # by definition: of one step, or made on another network

    @property
    def failures(self) -> int:
        """How many checks it failed."""
        return sum(result is not None and not result.passed for result in self.results)


class Grid(NamedTuple):
    """The checks of a study.

    Attributes:
        checks: what each column measures, and its bound.
        lines: attacks, those with most failures first.
        images: the numbers of images that checks were made on, the fewest and the most.
        unchecked: {classifier, perhaps with its detector: white-box attacks on it of a kind that no check is about}.
    """

    checks: list[tuple[str, str]]
    lines: list[Line]
    images: tuple[int, int]
    unchecked: dict[str, list[str]]

    @property
    def few(self) -> bool:
        """Whether the lines are so few that none is folded."""
        return len(self.lines) <= FEW

    @property
    def shown(self) -> list[Line]:
        """The lines that are open to view: all if they are few, else those of attacks that should be strong and failed."""
        return self.lines if self.few else [line for line in self.lines if line.failures and not line.weak]

    @property
    def weak(self) -> list[Line]:
        """The folded lines with failures, of attacks that are weak by definition."""
        return [] if self.few else [line for line in self.lines if line.failures and line.weak]

    @property
    def passed(self) -> list[Line]:
        """The folded lines without failures."""
        return [] if self.few else [line for line in self.lines if not line.failures]

    @property
    def made(self) -> int:
        """How many checks were made."""
        return sum(result is not None for line in self.lines for result in line.results)

    @property
    def failed(self) -> int:
        """How many checks failed."""
        return sum(line.failures for line in self.lines)

    @property
    def failed_if_weak(self) -> int:
        """How many of the failed checks are of attacks that are weak by definition."""
        return sum(line.failures for line in self.lines if line.weak)


def grid(rows: Iterable[MetricRow], doubts: Doubts) -> Grid | None:
    """Return the checks of a study's attacks; None if there were none.

    Args:
        rows: of the whole study.
        doubts: the checks that attacks failed.
    """
    rows = list(rows)
    numbers = Numbers((row for row in rows if row.measured.removesuffix(PASSED) in CHECKS), doubts)
    values = {_check(row): row for row in numbers.overall if row.measured in CHECKS}
    if not values:
        return None
    passed = {_check(row): row.value == 1 for row in numbers.overall if row.measured.endswith(PASSED)}
    names = [name for name in CHECKS if any(check == name for _, _, check in values)]
    lines = []
    for entry, examples in dict.fromkeys((entry, examples) for entry, examples, _ in values):
        results = []
        for name in names:
            row = values.get((entry, examples, name))
            good = passed.get((entry, examples, name + PASSED), True)
            results.append(Result(numbers.number(row), good) if row else None)
        threat = next(row.threat for (net, where, _), row in values.items() if (net, where) == (entry, examples))
        weak = threat.use in ONE_STEP or threat.knowledge == TRANSFER
        lines.append(Line(entry, _attack(examples), str(threat), tuple(results), weak))
    counts = [row.n for row in values.values()]
    return Grid(
        checks=[(CHECKS[name].words, CHECKS[name].asked) for name in names],
        lines=sorted(lines, key=lambda line: -line.failures),
        images=(min(counts), max(counts)),
        unchecked=_unchecked(rows, values.values()),
    )


def _check(row: MetricRow) -> tuple[str, str, str]:
    return row.entry, row.examples, row.measured


def _attack(examples: str) -> str:
    return examples.partition("/")[2] or examples


def _unchecked(rows: list[MetricRow], checked: Iterable[MetricRow]) -> dict[str, list[str]]:
    """Return the white-box attacks whose numbers are reported, by classifier, if no check is about their component.

    Classifiers are also defences, and classifiers with a detector.
    """
    checked_kinds = {(row.entry, row.threat.use) for row in checked}
    attacks: dict[str, list[str]] = {}
    for row in rows:
        if (
            (row.measured in (*ATTACKED, "accuracy", "auroc_both") or row.measured.startswith("evasion_rate"))
            and row.threat.is_white_box
            and row.threat.use
            and (row.entry, row.threat.use) not in checked_kinds
        ):
            attacks.setdefault(row.entry, []).append(place_of(row).last)
    return {entry: list(dict.fromkeys(names)) for entry, names in attacks.items()}
