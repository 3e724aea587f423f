"""Compare metric rows with recomputed ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import zip_longest

from touchstone.records.metric_tables import METRIC_COLUMNS, MetricRow, Metrics

NUMBERS = ("value", "low", "high", "base_rate", "seed_variance", "image_variance", "residual_variance")
ROUNDING = 1e-7  # of a metric: sums in another order
PROBED = 0.02  # of a metric, or of 1: a probe that was trained elsewhere


def compare_metrics(stated: Metrics, computed: Metrics, rounding: float = ROUNDING) -> None:
    """Check the rows of an evaluation and what it leaves out; otherwise as `compare_rows`."""
    compare_rows(stated.rows, computed.rows, rounding)
    if stated.left_out != computed.left_out:
        raise ValueError(f"it leaves out {list(stated.left_out)}, recomputed {list(computed.left_out)}")


def compare_rows(stated: list[MetricRow], computed: list[MetricRow], rounding: float = ROUNDING) -> None:
    """Check metric rows against recomputed ones, in the same order.

    Args:
        stated: As the pack states them.
        computed: As they were recomputed.
        rounding: By how much a number may differ.

    Raises:
        ValueError: Names the first row and column that differ, and how many rows do.
    """
    problems = list(_differences(stated, computed, rounding))
    if problems:
        more = f"; {len(problems):,} rows differ" if len(problems) > 1 else ""
        raise ValueError(f"{problems[0]}{more}")


def _differences(stated: Iterable[MetricRow], computed: Iterable[MetricRow], rounding: float) -> Iterator[str]:
    for pair in zip_longest(stated, computed):
        if problem := _difference(*pair, rounding):
            yield problem


def _difference(stated: MetricRow | None, computed: MetricRow | None, rounding: float) -> str:
    row = computed or stated
    assert row is not None
    seed = "" if row.seed is None else f", seed {row.seed}"
    about = f"{row.metric} of {row.entry} on {row.examples}{seed}"
    if stated is None:
        return f"{about} is missing"
    if computed is None:
        return f"{about} is not measured by the study"
    for column in METRIC_COLUMNS:
        first, second = getattr(stated, column), getattr(computed, column)
        numbers = column in NUMBERS and first is not None and second is not None
        if first != second and not (numbers and abs(first - second) <= rounding * max(1.0, abs(second))):
            return f"{about}: {column} is {_shown(first)}, recomputed {_shown(second)}"
    return ""


def _shown(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
