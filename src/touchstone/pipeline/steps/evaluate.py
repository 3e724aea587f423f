"""evaluate: turn what was measured into metrics rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

from touchstone.records.metric_rows import MetricRow
from touchstone.records.nouns import Cell, ContractError, Metrics

Question = Callable[..., list[MetricRow]]  # a component of evaluations/ with its settings bound


def evaluate(name: str, question: Question, cells: Sequence[list[Cell]]) -> Metrics:
    """Return the rows that `question` gives on `cells`, one list per noun that it names, under the evaluation's name.

    ContractError for no rows, two rows on one thing, an empty population, a file that was not given, or an interval
    whose ends are swapped.
    """
    rows = [replace(row, evaluation=name) for row in question(*cells)]
    if not rows:
        raise ContractError(f"{name}: nothing was measured")
    metrics = Metrics(rows)
    counts = Counter((row.entry, row.examples, row.metric, row.seed, str(row.threat)) for row in rows)
    twice = [key for key, count in counts.items() if count > 1]
    if twice:
        raise ContractError(f"{name}: {len(twice)} things are measured twice, such as {twice[0]}")
    given = {cell.file for group in cells for cell in group}
    for row in rows:
        about = f"{name}: {row.metric} of {row.entry} on {row.examples}"
        if row.n < 1:
            raise ContractError(f"{about}: n is {row.n}")
        if not row.files or not given.issuperset(row.files):
            raise ContractError(f"{about}: comes from {' '.join(row.files)!r}, which was not given")
        if row.low is not None and row.high is not None and row.low > row.high:
            raise ContractError(f"{about}: interval from {row.low} to {row.high}")
    return metrics
