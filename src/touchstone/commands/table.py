"""`touchstone table STUDY EVALUATION METRIC`: print one metric of a report as a Markdown table."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

from touchstone.messages import nearest
from touchstone.pipeline.auditing import report_tables
from touchstone.report import packing
from touchstone.statistics.wording import of_line

Rows = list[dict[str, str]]  # of metrics.csv.gz


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `table`."""
    parser.add_argument("study", help="a study that has run")
    parser.add_argument("evaluation", help="one of its evaluations, such as detection")
    parser.add_argument("metric", help="such as auroc; several seeds give their mean with its interval")
    parser.add_argument("--entries", nargs="+", default=[], metavar="NAME", help="only these rows, in this order")
    parser.add_argument("--examples", nargs="+", default=[], metavar="SET", help="only these columns, in this order")


def main(options: argparse.Namespace) -> int:
    """Print a row per entry and a column per example set.

    A cell is a number with its 95 % interval. Over several seeds it is their mean, with the interval of the mean. If the
    numbers are no estimates, the brackets are the least and the greatest seed.

    Raises:
        ValueError: the report does not have a name; the message suggests the nearest one. Or the report is from a version
            whose means had no intervals.
    """
    # These import scipy, which --help does not need.
    from touchstone.statistics.rows import measured
    from touchstone.statistics.threats import seedless

    path = Path("reports") / Path(options.study).stem / packing.METRICS
    if not path.is_file():
        known = (each.parent.name for each in Path("reports").glob(f"*/{packing.METRICS}"))
        raise ValueError(
            f"{path} is missing; run the study first: touchstone run {options.study}.{nearest(path.parent.name, known)}"
        )
    rows = report_tables.numbers(path, path.read_bytes())
    if rows and "method" not in rows[0]:
        raise ValueError(f"{path} has no intervals of means; run the study again: touchstone run {options.study}")
    evaluation, metric = options.evaluation, options.metric
    _chosen(path, "no evaluation called", [evaluation], (row["evaluation"] for row in rows))
    rows = [row for row in rows if row["evaluation"] == evaluation]
    _chosen(path, f"no metric of {evaluation} called", [metric], (measured(row["metric"]) for row in rows))
    cells: dict[tuple[str, str], Rows] = {}
    for row in rows:
        if measured(row["metric"]) == metric:
            cells.setdefault((row["entry"], seedless(row["examples"])), []).append(row)
    entries = _chosen(path, f"{evaluation} has no entry", options.entries, (entry for entry, _ in cells))
    columns = _chosen(path, f"{evaluation} has no examples", options.examples, (examples for _, examples in cells))
    print(f"| {metric.replace('_', ' ')} | {' | '.join(columns)} |\n|{' --- |' * (len(columns) + 1)}")
    for entry in entries:
        print(f"| {entry} | {' | '.join(_cell(cells.get((entry, column), [])) for column in columns)} |")
    return 0


def _chosen(path: Path, problem: str, wanted: list[str], present: Iterable[str]) -> list[str]:
    """Return the wanted names, or all that are present if none is wanted; ValueError for one that is not present."""
    names = list(dict.fromkeys(present))
    for name in wanted:
        if name not in names:
            raise ValueError(f"{path}: {problem} {name}.{nearest(name, names)} There are {', '.join(sorted(names))}.")
    return wanted or names


def _cell(rows: Rows) -> str:
    """Return the mean over seeds, or the only value, with its interval."""
    if not rows:
        return "–"
    shown = next((row for row in rows if not row["seed"]), rows[0])
    return of_line(shown, "value")
