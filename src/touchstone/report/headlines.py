"""The few numbers of each evaluation that answer its question, chosen by what was measured."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from touchstone.evaluations.statistics.places import place_of
from touchstone.records.metric_rows import NONE
from touchstone.records.metric_tables import MetricRow
from touchstone.report.accuracies import accuracy, attack_of, budget_in_words, budget_of
from touchstone.report.tables import Line, Number, Numbers, Table

EVASION, FLAGGED = "evasion_rate_at_", "flagged_rate_at_"
RATE = "0.05"  # the false positive rate that is shown, if it was measured
TOGETHER = "all attackers together"


def headlines(numbers: Numbers) -> list[Table]:
    """Return the short tables that open a chapter: one per rule that applies to what was measured.

    Args:
        numbers: the rows of one evaluation.
    """
    tables = (rule(numbers) for rule in (accuracy, _evasion, _margins, _translation, _routing))
    return [table for table in tables if table is not None]


def _evasion(numbers: Numbers) -> Table | None:
    """Return the largest share of inputs that each kind or budget of attack gets past a detector and its classifier."""
    evading = [row for row in numbers.single() if row.metric.startswith(EVASION) and row.detector]  # not past a router
    rates = dict.fromkeys(row.metric.removeprefix(EVASION) for row in evading)
    if not rates:
        return None
    rate = RATE if RATE in rates else next(iter(rates))
    rows = numbers.of(EVASION + rate)
    column = _column_of(rows)
    worst = {(row.entry, column(row)): row for row in sorted(rows, key=_value)}
    tested = {(row.entry, row.dataset) for row in rows}
    clean = {
        row.entry: row for row in sorted(numbers.of(FLAGGED + rate), key=lambda row: (row.entry, row.dataset) in tested)
    }
    kinds = _columns(rows)
    lines = []
    for entry in dict.fromkeys(row.entry for row in rows):
        attacked = [worst.get((entry, kind)) for kind in kinds]
        cells = [numbers.maybe(row, label=attack_of(row) if row else "") for row in attacked]
        lines.append(Line((entry,), (numbers.maybe(clean.get(entry)), *cells)))
    caption = (
        f"Greatest share of inputs misclassified and not flagged, at the threshold set for {100 * float(rate):g}% FPR"
    )
    return Table(caption, ("classifier + detector",), ("clean inputs flagged", *kinds), tuple(lines))


def _column_of(rows: Iterable[MetricRow]) -> Callable[[MetricRow], str]:
    """Return the column that a number belongs to: its budget if the rows have several, else the kind of attacker."""
    return budget_in_words if len({budget_of(row) for row in rows if row.threat.eps}) > 1 else _attacker


def _columns(rows: Collection[MetricRow]) -> tuple[str, ...]:
    """Return the columns of attacked numbers, the smallest budget or the simplest attacker first."""
    column = _column_of(rows)
    attacked = [row for row in rows if row.threat.kind != NONE]
    by_attacker = sorted(attacked, key=lambda row: (bool(row.threat.worst_of), row.threat.kind))
    return tuple(dict.fromkeys(map(column, sorted(by_attacker, key=budget_of))))


def _attacker(row: MetricRow) -> str:
    return TOGETHER if row.threat.worst_of else row.threat.kind


def _value(row: MetricRow) -> float:
    return row.value


def _margins(numbers: Numbers) -> Table | None:
    """Return the distance to the boundary, and how well the logit margin ranks inputs by it."""
    if not numbers.of("kendall_tau"):
        return None
    metrics = {
        "median_margin": "median margin (pixels)",
        "kendall_tau": "Kendall's tau",
        "share_not_found": "not found",
    }
    cells: dict[tuple[str, str], dict[str, Number]] = {}
    for row in numbers.of(*metrics):
        cells.setdefault((row.entry, row.examples), {})[row.measured] = numbers.number(row)
    # Only the smallest margin of all methods is ranked, so single methods have no line.
    lines = [
        Line(about, tuple(line.get(metric) for metric in metrics))
        for about, line in cells.items()
        if "kendall_tau" in line
    ]
    caption = "Distance to the decision boundary, and how well the logit margin ranks it"
    return Table(caption, ("classifier", "examples"), tuple(metrics.values()), tuple(lines))


def _translation(numbers: Numbers) -> Table | None:
    """Return accuracy before and after translating, and the gain."""
    gains = numbers.of("accuracy_gain")
    accuracies = {(row.entry, row.examples): row for row in numbers.of("accuracy")}
    if not gains:
        return None
    lines = []
    for gain in gains:
        places = (str(place_of(gain).before), gain.examples)
        both = [numbers.maybe(accuracies.get((gain.entry, place))) for place in places]
        lines.append(Line((gain.entry, gain.examples), (*both, numbers.number(gain)), str(gain.threat)))
    columns = ("before translation", "after it", "gain")
    return Table("Accuracy before and after translating the images", ("classifier", "examples"), columns, tuple(lines))


def _routing(numbers: Numbers) -> Table | None:
    """Return what the strongest attack of each kind or budget leaves of a defence, as deployed and with an oracle router."""
    oracle = numbers.of("oracle_accuracy")
    if not oracle:
        return None
    rates = {row.entry: row for row in reversed(numbers.of("false_routing_rate"))}
    entries = dict.fromkeys(row.entry for row in oracle)
    deployed = [row for row in numbers.of("accuracy") if row.entry in entries]
    column, columns = _column_of(deployed), _columns(deployed)
    # An attack on the deployed router is no attack on the oracle.
    ideal = [row for row in oracle if not row.threat.is_white_box]
    lines = []
    for entry in entries:
        router = "as deployed" if entry in rates else "none: every image is translated"
        cells = _least(numbers, [row for row in deployed if row.entry == entry], column, columns)
        lines.append(Line((entry, router), (*cells, numbers.maybe(rates.get(entry)))))
        if entry in rates:
            cells = _least(numbers, [row for row in ideal if row.entry == entry], column, columns)
            lines.append(Line((entry, "oracle, not deployable"), (*cells, None)))
    which = "budget" if column is budget_in_words else "kind"
    caption = f"Accuracy under the attack of each {which} that leaves least; no one attacked the oracles"
    heads = ("clean", *columns, "clean images translated")
    return Table(caption, ("defence", "router"), heads, tuple(lines))


def _least(
    numbers: Numbers, rows: Iterable[MetricRow], column: Callable[[MetricRow], str], columns: Iterable[str]
) -> list[Number | None]:
    """Return the clean number of an entry's rows, then the lowest of each column, labelled with the attack."""
    clean = [row for row in rows if row.threat.kind == NONE]
    least = {column(row): row for row in sorted(rows, key=_value, reverse=True) if row not in clean}
    cells = [min(clean, key=_value, default=None), *map(least.get, columns)]
    return [numbers.maybe(row, label=attack_of(row) if row else "") for row in cells]
