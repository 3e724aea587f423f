"""evaluate: compute metrics rows from artefacts, and check them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from touchstone.messages import first_line
from touchstone.records.metric_tables import MetricRow, Metrics
from touchstone.records.nouns import Cell, ContractError

Question = Callable[..., list[MetricRow]]  # a component of evaluations/ with its settings bound


def evaluate(name: str, question: Question, cells: Sequence[list[Cell]], left_out: Iterable[str] = ()) -> Metrics:
    """Return the rows of an evaluation.

    If cells were left out and it cannot do without them, there are no rows, and the table says so.

    Args:
        name: the study's name for it.
        question: the component that computes the rows.
        cells: one list per noun that `question` names, in its order.
        left_out: why cells are missing from these lists.

    Returns:
        The rows. Without any, `left_out` says that nothing was measured.

    Raises:
        ContractError: two rows about one thing, a row about no input, a
            row from a file that is not in `cells`, or an interval whose ends are swapped.
    """
    missing = tuple(dict.fromkeys(left_out))
    try:
        rows = [replace(row, evaluation=name) for row in question(*cells)]
    except ValueError as error:
        if not missing:
            raise
        whole = f"evaluation {name} cannot do without what was left out ({'; '.join(missing)}): {first_line(error)}"
        return Metrics([], (*missing, whole))
    if not rows:
        return Metrics(
            [], (*missing, f"evaluation {name} measured nothing: no image or network here has what it asks about")
        )
    metrics = Metrics(rows, missing)
    counts = Counter((row.entry, row.examples, row.metric, row.seed) for row in rows)
    twice = [key for key, count in counts.items() if count > 1]
    if twice:
        raise ContractError(f"{name}: {len(twice)} things are measured twice, such as {twice[0]}")
    files = {cell.file for group in cells for cell in group}
    for row in rows:
        about = f"{name}: {row.metric} of {row.entry} on {row.examples}"
        if row.n < 1:
            raise ContractError(f"{about}: n is {row.n}")
        if not row.files or not files.issuperset(row.files):
            raise ContractError(f"{about}: comes from {' '.join(row.files)!r}, which was not given")
        if row.low is not None and row.high is not None and row.low > row.high:
            raise ContractError(f"{about}: interval from {row.low} to {row.high}")
    return metrics
