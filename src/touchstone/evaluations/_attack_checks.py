"""What the checks of attacks share with evaluations that make a check of their own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from touchstone.evaluations.statistics.declared_budgets import DEFAULT_NORM
from touchstone.evaluations.statistics.intervals import Interval
from touchstone.evaluations.statistics.rows import row
from touchstone.evaluations.statistics.sanity_checks import CHECKS, PASSED
from touchstone.records.metric_tables import MetricRow
from touchstone.records.nouns import Cell

BLACK_BOX = ("square", "spsa", "joint_spsa", "score_square")


def check_rows(
    check: str, value: float, main: Cell, files: list[Cell], *, entry: str | None = None, examples: str | None = None
) -> Iterator[MetricRow]:
    """Yield the value of a check of the attack `main`, and whether it passed."""
    n = len(main.noun.example_ids)
    passed = float(CHECKS[check].passed(value))
    for name, number, of in ((check, value, CHECKS[check].unit), (f"{check}{PASSED}", passed, "passed")):
        interval = Interval(number, None, None)
        yield row(name, interval, cell=main, n=n, files=files, unit=of, entry=entry, examples=examples)


def against_oblivious(
    check: str, rates: Mapping[str, float], attacked: list[Cell], known: list[Cell], *, entry: str | None = None
) -> list[MetricRow]:
    """Return the check that no attack which ignores the defence succeeds more often than those that know all of it.

    Args:
        check: its name.
        rates: {file: the share of images on which that attack succeeds}.
        attacked: all attacks of one budget.
        known: those among them that know the whole defence.
        entry: of the rows, if it is not that of the cells.

    Returns:
        The rows of the check; none if every attack knows the defence.
    """
    aware = {cell.file for cell in known}
    oblivious = [cell for cell in attacked if cell.file not in aware]
    if not oblivious:
        return []
    best = max(known, key=lambda cell: rates[cell.file])
    value = max(rates[cell.file] for cell in oblivious) - rates[best.file]
    return list(check_rows(check, value, best, [best, *oblivious], entry=entry))


def ladder(cells: list[Cell], main: Cell, name: str) -> list[Cell]:
    """Return the attacks that differ from `main` in this setting only, ordered by it."""
    rest = {key: value for key, value in main.settings.items() if key != name}
    same = [cell for cell in cells if {key: v for key, v in cell.settings.items() if key != name} == rest]
    return sorted((cell for cell in same if name in cell.settings), key=lambda cell: (cell.settings[name], cell.attack))


def eps_of(cell: Cell) -> float:
    """Return the eps of the cell's attack; NaN if it has none."""
    return float(cell.settings.get("eps", np.nan))


def norm_of(cell: Cell) -> str:
    """Return the norm of the cell's attack."""
    return str(cell.settings.get("norm", DEFAULT_NORM))


def equal_budget(one: Cell, other: Cell) -> bool:
    """Return whether two attacks may change as much: an eps of one norm says nothing about another norm."""
    return (norm_of(one), eps_of(one)) == (norm_of(other), eps_of(other))
