"""One metric of a report as a Markdown table: a row per entry, a column per example set."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from touchstone.audit.chain import report_tables
from touchstone.messages import nearest
from touchstone.report import packing

Rows = list[dict[str, str]]  # of metrics.csv.gz


def number_table(
    study: str, evaluation: str, metric: str, entries: Sequence[str] = (), examples: Sequence[str] = ()
) -> str:
    """Return one metric of an evaluation as a Markdown table.

    A cell is a number with its 95 % interval. Over several seeds it is their mean, with the interval of the mean. If the
    numbers are no estimates, the brackets are the least and the greatest seed.

    Args:
        study: The name of a finished study.
        evaluation: One of its evaluations.
        metric: One of its metrics.
        entries: Only these rows, in this order.
        examples: Only these columns, in this order.

    Raises:
        ValueError: The report does not have a name; the message suggests the nearest one.
    """
    from touchstone.evaluations.statistics.rows import measured
    from touchstone.evaluations.statistics.threats import seedless

    path = Path("reports") / study / packing.METRICS
    if not path.is_file():
        raise ValueError(f"{path} is missing; run the study first: touchstone run {study}")
    rows = report_tables.numbers(path, path.read_bytes())
    _chosen(path, "no evaluation called", [evaluation], (row["evaluation"] for row in rows))
    rows = [row for row in rows if row["evaluation"] == evaluation]
    _chosen(path, f"no metric of {evaluation} called", [metric], (measured(row["metric"]) for row in rows))
    cells: dict[tuple[str, str], Rows] = {}
    for row in rows:
        if measured(row["metric"]) == metric:
            cells.setdefault((row["entry"], seedless(row["examples"])), []).append(row)
    lines = _chosen(path, f"{evaluation} has no entry", entries, (entry for entry, _ in cells))
    columns = _chosen(path, f"{evaluation} has no examples", examples, (column for _, column in cells))
    table = [[metric.replace("_", " "), *columns], ["---"] * (len(columns) + 1)]
    table += [[entry, *(_cell(cells.get((entry, column), [])) for column in columns)] for entry in lines]
    return "".join(f"| {' | '.join(row)} |\n" for row in table)


def _chosen(path: Path, problem: str, wanted: Sequence[str], present: Iterable[str]) -> Sequence[str]:
    """Return the wanted names, or all that are present if none is wanted; ValueError for one that is not present."""
    names = list(dict.fromkeys(present))
    for name in wanted:
        if name not in names:
            raise ValueError(f"{path}: {problem} {name}.{nearest(name, names)} There are {', '.join(sorted(names))}.")
    return wanted or names


def _cell(rows: Rows) -> str:
    """Return the mean over seeds, or the only value, with its interval."""
    from touchstone.evaluations.statistics.wording import of_line

    if not rows:
        return "–"
    shown = next((row for row in rows if not row["seed"]), rows[0])
    return of_line(shown, "value")
