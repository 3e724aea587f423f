"""The first screen of a study that is about one model and no published claim: what is left of it, in three numbers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from touchstone.metric_rows import Row
from touchstone.report_tables import Line, Numbers, Table
from touchstone.sanity_checks import CHECKS, PASSED, Doubts
from touchstone.threats import read

LEVELS = 255


class Summary(NamedTuple):
    """The numbers that matter most, and what the checks of the attacks say of them."""

    table: Table
    checks: str


def summary(rows: Iterable[Row], doubts: Doubts) -> Summary | None:
    """Return the summary of an assay; None where nothing white-box was measured on clean and attacked images, or where
    there are several classifiers, of which none is the one that is asked about.
    """
    rows = list(rows)
    numbers = Numbers(rows, doubts)
    left = [row for row in rows if row["metric"] == "robust_accuracy" and row["threat"].startswith("white-box")]
    if not left or len({row["entry"] for row in left}) != 1:
        return None
    eps = min(filter(None, (read(row["threat"]).eps for row in left)), default=None)
    worst = min((row for row in left if read(row["threat"]).eps == eps), key=lambda row: float(row["value"]))
    entry, examples = worst["entry"], worst["examples"].partition("/")[0]
    clean = [r for r in rows if (r["metric"], r["entry"], r["examples"]) == ("clean_accuracy", entry, examples)]
    if not clean:
        return None
    threat = read(worst["threat"])
    lines = [
        Line(("Accuracy on clean images",), (numbers.number(clean[0]),)),
        Line(
            (f"Accuracy under the worst attack, {threat.norm} eps {in_levels(eps)}",),
            (numbers.number(worst, label=worst["examples"].partition("/")[2]),),
        ),
    ]
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


def _checks(rows: list[Row]) -> str:
    made = [row for row in rows if row["metric"].endswith(PASSED) and row["metric"].removesuffix(PASSED) in CHECKS]
    failed = dict.fromkeys(CHECKS[r["metric"].removesuffix(PASSED)].words for r in made if float(r["value"]) == 0)
    if not made:
        return "No check of the attacks was made, so robust accuracy may be flattered."
    if not failed:
        return f"The attacks passed all {len(made)} checks."
    return f"Checks of the attacks that failed, so do not trust what they left: {'; '.join(failed)}."


def in_levels(eps: float | None) -> str:
    """Return a budget as people write it: 8/255 where it is so many levels of 8 bits and no round number itself."""
    if eps is None:
        return "none"
    levels = round(eps * LEVELS)
    whole = levels > 0 and abs(eps * LEVELS - levels) < 1e-3 and len(f"{eps:g}") > len("0.05")
    return f"{levels}/{LEVELS}" if whole else f"{eps:g}"
