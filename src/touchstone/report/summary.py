"""The first screen of a study of one model and no published claim: how accurate it stays, in three numbers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from touchstone.evaluations.statistics.places import place_of
from touchstone.evaluations.statistics.sanity_checks import CHECKS, PASSED, Doubts
from touchstone.records.metric_tables import MetricRow
from touchstone.report.accuracies import ATTACKED, attack_of, budget_of, least_left
from touchstone.report.tables import Line, Numbers, Table

LEVELS = 255
EVASION = "evasion_rate_at_0.05"


class Summary(NamedTuple):
    """The numbers that matter most, and what the checks of the attacks say about them."""

    table: Table
    checks: str


def summary(rows: Iterable[MetricRow], doubts: Doubts) -> Summary | None:
    """Return the first screen of a study of one classifier.

    The accuracies are those at the head of the first chapter with a white-box attack: a line per budget.

    Args:
        rows: of the whole study.
        doubts: the checks that attacks failed.

    Returns:
        None for several classifiers, or without a white-box attack.
    """
    rows = list(rows)
    numbers = Numbers(rows, doubts)
    white = [row for row in numbers.of(*ATTACKED) if row.threat.is_white_box]
    if len({row.entry for row in white}) != 1:
        return None
    chapter = white[0].evaluation
    white = [row for row in white if row.evaluation == chapter]
    attacked = [
        (row, least)
        for row in numbers.of("clean_accuracy")
        if row.evaluation == chapter and (least := least_left(row, white, budget_of))
    ]
    if not attacked:
        return None
    clean, least = attacked[0]
    lines = [Line((f"Accuracy on clean images (the {clean.n} that are attacked)",), (numbers.number(clean),))]
    for (norm, eps), row in sorted(least.items()):
        words = f"Accuracy under the worst attack, {norm} eps {in_levels(eps)}"
        lines.append(Line((words,), (numbers.number(row, label=attack_of(row)),)))
    lines += _evasion(numbers)
    return Summary(Table("What matters most", ("measured",), ("value",), tuple(lines)), _checks(rows))


def _evasion(numbers: Numbers) -> list[Line]:
    """Return the line of the detector that the most successful attacker gets past least; none without detectors.

    Of several networks it is their mean, as in the other lines. A router is no detector: it flags nothing.
    """
    past: dict[str, MetricRow] = {}  # of each detector, what the most successful attacker gets past it
    for row in numbers.of(EVASION):
        if row.detector and row.threat.is_white_box:
            past[row.entry] = max(past.get(row.entry, row), row, key=lambda row: row.value)
    if not past:
        return []
    best = min(past.values(), key=lambda row: row.value)
    words = f"Gets past the model and its best detector ({best.detector}, 5 % false alarms), if the attacker knows both"
    return [Line((words,), (numbers.number(best, label=place_of(best).how),))]


def _checks(rows: list[MetricRow]) -> str:
    verdicts = [row for row in rows if row.metric.endswith(PASSED) and row.metric.removesuffix(PASSED) in CHECKS]
    failed = dict.fromkeys(CHECKS[row.metric.removesuffix(PASSED)].words for row in verdicts if row.value == 0)
    if not verdicts:
        return "No check of the attacks was made, so robust accuracy may be flattered."
    if not failed:
        return f"The attacks passed all {len(verdicts)} checks."
    return f"Checks of the attacks that failed, so do not trust what they left: {'; '.join(failed)}."


def in_levels(eps: float) -> str:
    """Return a budget as people write it: 8/255 if it is a whole number of 8-bit levels and not a round number itself."""
    levels = round(eps * LEVELS)
    whole = levels > 0 and abs(eps * LEVELS - levels) < 1e-3 and len(f"{eps:g}") > len("0.05")
    return f"{levels}/{LEVELS}" if whole else f"{eps:g}"
