"""Metrics rows as curves in bands and as marks with error bars."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from matplotlib.axes import Axes

from touchstone.records.metric_tables import MetricRow

Curve = dict[float, MetricRow]  # eps -> the row of the number there


def means_first(rows: Iterable[MetricRow]) -> list[MetricRow]:
    """Return the rows with means over seeds before single seeds, otherwise in their order."""
    return sorted(rows, key=lambda row: row.seed is not None)


def draw(axes: Axes, curve: Curve, label: str, look: dict[str, Any], alpha: float) -> None:
    """Draw a curve over eps in the band of its 95 % intervals.

    Args:
        axes: where to draw it.
        curve: its points, means over seeds or single networks.
        label: its words in the legend.
        look: colour and style of the line, as `palette` gives them.
        alpha: the opacity of the band.
    """
    places = sorted(curve)
    rows = [curve[eps] for eps in places]
    low, high = [row.low for row in rows], [row.high for row in rows]
    axes.plot(places, [row.value for row in rows], label=label, **look)
    axes.fill_between(places, low, high, color=look["color"], alpha=alpha, linewidth=0)  # type: ignore[arg-type]


def error_bars(rows: Iterable[MetricRow], scale: float = 1) -> list[list[float]]:
    """Return the lengths of the 95 % intervals below and above each row's value, as Axes.errorbar takes them."""
    rows = list(rows)
    below = [abs(scale * row.low - scale * row.value) for row in rows if row.low is not None]
    above = [abs(scale * row.high - scale * row.value) for row in rows if row.high is not None]
    return [below, above]
