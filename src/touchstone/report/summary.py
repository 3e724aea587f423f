"""The first screen of a study that is about one model and no published claim: what is left of it, in three numbers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from touchstone.report.headlines import ACCURACIES, attack_of, budget_of, least_left
from touchstone.report.tables import Line, Numbers, Table
from touchstone.statistics.rows import Row, measured
from touchstone.statistics.sanity_checks import CHECKS, PASSED, Doubts
from touchstone.statistics.threats import read

LEVELS = 255


class Summary(NamedTuple):
    """The numbers that matter most, and what the checks of the attacks say of them."""

    table: Table
    checks: str


def summary(rows: Iterable[Row], doubts: Doubts) -> Summary | None:
    """Return the first screen of a study of one classifier; None for several, or without a white-box attack.

    The accuracies are those that head the chapter of the first evaluation with a white-box attack: a line per budget.
    """
    rows = list(rows)
    numbers = Numbers(rows, doubts)
    left = [row for row in numbers.overall() if _white_box(row)]
    if not left or len({row["entry"] for row in left}) != 1:
        return None
    chapter = [row for row in numbers.overall() if row["evaluation"] == left[0]["evaluation"]]
    white = [row for row in chapter if _white_box(row)]
    both = [
        (row, least)
        for row in chapter
        if measured(row["metric"]) == "clean_accuracy" and (least := least_left(row, white, budget_of))
    ]
    if not both:
        return None
    clean, least = both[0]
    words = f"Accuracy on clean images (the {clean['n']} that are attacked)"
    lines = [Line((words,), (numbers.number(clean),))]
    for (norm, eps), row in sorted(least.items()):
        words = f"Accuracy under the worst attack, {norm} eps {in_levels(eps)}"
        lines.append(Line((words,), (numbers.number(row, label=attack_of(row)),)))
    past: dict[str, Row] = {}  # of each detector, what the most successful attacker gets past it
    for row in rows:
        if row["metric"] == "evasion_rate_at_0.05" and read(row["threat"]).knows.startswith("white-box"):
            past[row["entry"]] = max(past.get(row["entry"], row), row, key=lambda row: float(row["value"]))
    if past:
        best = min(past.values(), key=lambda row: float(row["value"]))
        name = best["entry"].partition("+")[2]
        words = f"Gets past the model and its best detector ({name}, 5 % false alarms), if the attacker knows both"
        lines.append(Line((words,), (numbers.number(best, label=best["examples"].partition("/")[2]),)))
    return Summary(Table("What matters most", ("measured",), ("value",), tuple(lines)), _checks(rows))


def _white_box(row: Row) -> bool:
    return measured(row["metric"]) in ACCURACIES and row["threat"].startswith("white-box")


def _checks(rows: list[Row]) -> str:
    made = [row for row in rows if row["metric"].endswith(PASSED) and row["metric"].removesuffix(PASSED) in CHECKS]
    failed = dict.fromkeys(CHECKS[r["metric"].removesuffix(PASSED)].words for r in made if float(r["value"]) == 0)
    if not made:
        return "No check of the attacks was made, so robust accuracy may be flattered."
    if not failed:
        return f"The attacks passed all {len(made)} checks."
    return f"Checks of the attacks that failed, so do not trust what they left: {'; '.join(failed)}."


def in_levels(eps: float) -> str:
    """Return a budget as people write it: 8/255 where it is so many levels of 8 bits and no round number itself."""
    levels = round(eps * LEVELS)
    whole = levels > 0 and abs(eps * LEVELS - levels) < 1e-3 and len(f"{eps:g}") > len("0.05")
    return f"{levels}/{LEVELS}" if whole else f"{eps:g}"
