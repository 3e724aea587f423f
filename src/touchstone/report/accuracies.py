"""Accuracy, clean and attacked: which attack of each budget leaves least of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from touchstone.evaluations.statistics.places import place_of
from touchstone.records.metric_rows import WORST_OF
from touchstone.records.metric_tables import MetricRow
from touchstone.report.tables import Line, Numbers, Table

UNION = "robust_accuracy_union"
ATTACKED = ("robust_accuracy", UNION)
Budget = tuple[str, float]  # norm, eps
Kind = TypeVar("Kind", str, Budget)


def accuracy(numbers: Numbers) -> Table | None:
    """Return clean accuracy and the lowest that any white-box attack of each budget leaves.

    Without a white-box attack there is one column per attack. None if nothing was attacked.
    """
    clean = [row for row in numbers.of("clean_accuracy") if "/" not in row.examples]
    attacked = numbers.of(*ATTACKED)
    if not clean or not attacked:
        return None
    white = [row for row in attacked if row.threat.is_white_box]
    column = budget_in_words if white else attack_of
    columns = tuple(dict.fromkeys(column(row) for row in sorted(white or attacked, key=budget_of)))
    uses = {name: {row.threat.use for row in white if column(row) == name} for name in columns}
    most = max(map(len, uses.values()))
    # With fewer kinds of attack, more accuracy is left, although the network is no better: name the only kind.
    alone = {name: f" ({next(iter(kinds))} only)" if len(kinds) == 1 < most else "" for name, kinds in uses.items()}
    lines = []
    for row in clean:
        least = least_left(row, white or attacked, column)
        rows = [least.get(name) for name in columns]
        left = [numbers.maybe(cell, label=attack_of(cell) if cell and white else "") for cell in rows]
        lines.append(Line((row.entry, row.examples), (numbers.number(row), *left)))
    best = "Accuracy, clean and under the white-box attack that leaves least"
    caption = best if white else "Accuracy, clean and under attacks that did not know the classifier: diagnostics"
    heads = ("clean", *(name + alone[name] for name in columns))
    return Table(caption, ("classifier", "examples"), heads, tuple(lines))


def least_left(
    clean: MetricRow, attacked: Iterable[MetricRow], kind: Callable[[MetricRow], Kind]
) -> dict[Kind, MetricRow]:
    """Return, per kind of attack, the row of `attacked` that leaves least of what `clean` measures.

    A union of attacks precedes a single one of them that leaves as much.
    """
    least: dict[Kind, MetricRow] = {}
    for row in sorted(attacked, key=lambda row: (row.value, row.measured != UNION)):
        if row.entry == clean.entry and row.examples.startswith(clean.examples + "/"):
            least.setdefault(kind(row), row)
    return least


def budget_of(row: MetricRow) -> Budget:
    """Return the norm and the eps of an attack, 0 if it has none."""
    return row.threat.norm, row.threat.eps or 0.0


def budget_in_words(row: MetricRow) -> str:
    """Return the norm and the eps of an attack in words: "linf eps 0.1"."""
    norm, eps = budget_of(row)
    return f"{norm} eps {eps:g}"


def attack_of(row: MetricRow) -> str:
    """Return the name of an attack, or of all attacks of a worst case; an attack on a detector omits the detector."""
    if row.threat.worst_of:
        return WORST_OF + ", ".join(name.rpartition("/")[2] if "+" in name else name for name in row.threat.worst_of)
    return place_of(row).last if row.detector else place_of(row).how
