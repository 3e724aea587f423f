"""How often attacks solve planted problems: the binarisation test."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from touchstone.evaluations.statistics.estimators import Array
from touchstone.evaluations.statistics.intervals import Interval
from touchstone.evaluations.statistics.rows import grouped, only, rate_row, row, rows_of, with_means
from touchstone.evaluations.statistics.sanity_checks import CHECKS, PASSED
from touchstone.records.metric_tables import MetricRow
from touchstone.records.nouns import Cell

METRICS = ("planted_share", "planted_success_rate", "random_success_rate", "*_passed")
TESTS = ("attacks/binarisation", "adaptive/detector_binarisation")


def binarisation(examples: list[Cell]) -> list[MetricRow]:
    """Check that attacks find adversarial examples that are known to exist.

    Args:
        examples: clean sets, and the same sets under entries of `attacks/binarisation` or
            `adaptive/detector_binarisation`. Entries that differ only in `attack` and `corners` are about the same planted
            problems. One of them has neither: it returns the solutions.

    Returns:
        Rows per network seed (or network and detector) and set, then means over seeds, with exact binomial intervals:

        - planted_share: the share of images for which a problem could be planted.
        - planted_success_rate: of these, the share that the attack solves; one row per attack, whose threat is the attack's.
        - random_success_rate: the share that random search solves. If it is high, the problems are too easy for a test.
        - planted_success_rate_passed, random_success_rate_passed: 1 or 0. The bounds: statistics/sanity_checks.py.

    Raises:
        ValueError: no set is attacked on planted problems, or the solutions of one are missing.

    References:
        Zimmermann et al. 2022; docs/papers/shared.md, "Binarisation test".
    """
    rows: list[MetricRow] = []
    tested = [cell for cell in examples if cell.attack and cell.settings.get("use") in TESTS]
    if not tested:
        raise ValueError(f"no attack uses {' or '.join(TESTS)}, so no problem is planted")
    for group in grouped(tested, lambda cell: (cell.victim, cell.examples, _problems(cell.settings))).values():
        clean = only((c for c in examples if c.examples == group[0].examples and not c.attack), "the clean images")
        solutions = only((c for c in group if _is_solution(c.settings)), f"the solutions planted on {group[0].victim}")
        planted = _moved(solutions, clean)
        rows.append(rate_row("planted_share", planted, solutions, files=[solutions, clean], entry=_entry(solutions)))
        for cell in group:
            if cell is not solutions and planted.any():
                hits = _moved(cell, clean)[rows_of(cell.noun.example_ids, solutions.noun.example_ids, cell.file)]
                rows += _rows(cell, hits, planted, [cell, solutions, clean])
    return with_means(rows)


def _rows(cell: Cell, hits: Array, planted: Array, files: list[Cell]) -> Iterator[MetricRow]:
    attack = cell.settings.get("attack")
    check = "random_success_rate" if attack is None else "planted_success_rate"
    # The threat is that of the attack under test, so that a failed check marks its other numbers.
    seen = cell if attack is None else replace(cell, settings=attack)
    rate = rate_row(
        check, hits & planted, seen, among=planted, ids=files[1].noun.example_ids, entry=_entry(cell), files=files
    )
    yield rate
    passed = Interval(float(CHECKS[check].passed(rate.value)), None, None)
    yield row(f"{check}{PASSED}", passed, cell=seen, n=rate.n, unit="passed", entry=_entry(cell), files=files)


def _problems(settings: dict[str, Any]) -> str:
    """Return the settings that determine the planted problems, as text."""
    return json.dumps(
        {key: value for key, value in settings.items() if key not in ("attack", "corners")}, sort_keys=True
    )


def _is_solution(settings: dict[str, Any]) -> bool:
    return settings.get("attack") is None and not settings.get("corners")


def _entry(cell: Cell) -> str:
    detector = cell.victim.partition("+")[2].partition("@")[0]
    return f"{cell.entry}+{detector}" if detector else cell.entry


def _moved(cell: Cell, clean: Cell) -> Array:
    """Return where the attack returned another image, (N,) bool: where it solved a planted problem."""
    before = clean.noun.images[rows_of(clean.noun.example_ids, cell.noun.example_ids, clean.file)]
    after = cell.noun.images if cell.noun.unquantised is None else cell.noun.unquantised
    return np.asarray((after != before).reshape(len(after), -1).any(1))
