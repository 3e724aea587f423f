"""Shares as dots with intervals, a row each, in panels above each other: narrow enough for a phone to show whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from touchstone.records.metric_tables import MetricRow
from touchstone.report import drawing, marks
from touchstone.report.figures._words import percent

ROW, HEAD, REST = 0.23, 0.36, 0.8  # inches: of a row, of a panel's title, and of all else
LINE = 0.22  # inches of a line below the panels
TEXT = 9.8  # points


class Dot(NamedTuple):
    """A share: the words beside it, where it is from, its colour, and whether it is drawn hollow."""

    name: str
    row: MetricRow
    colour: str
    hollow: bool = False


def stacked(
    panels: Mapping[str, Sequence[Dot]], across: str, down: str, legend: Mapping[str, str] | None = None
) -> Figure:
    """Return a figure of panels above each other, each with a row per dot, all from 0 to 100 %.

    Args:
        panels: {title: its dots, from the top}.
        across: what the shares are, in one or two short lines.
        down: what the rows are.
        legend: {colour: what it means}; colours that no dot has are left out. None for no legend.
    """
    counts = [len(dots) for dots in panels.values()]
    drawn = [dot for dots in panels.values() for dot in dots]
    named = {colour: words for colour, words in (legend or {}).items() if any(dot.colour == colour for dot in drawn)}
    below = LINE * (len(named) + across.count("\n"))
    figure = Figure(figsize=(drawing.PHONE, REST + HEAD * len(counts) + ROW * sum(counts) + below))
    grid = figure.subplots(len(counts), 1, squeeze=False, sharex=True, gridspec_kw={"height_ratios": counts})
    for axes, (title, dots) in zip(grid[:, 0], panels.items(), strict=True):
        for height, dot in enumerate(reversed(dots)):
            _draw(axes, height, dot)
        axes.set_title(title, fontsize=TEXT)
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.6, len(dots) - 0.4))
        axes.set_yticks(range(len(dots)), [dot.name for dot in reversed(dots)])
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
        axes.tick_params(labelsize=TEXT)
        axes.xaxis.set_major_formatter(PercentFormatter(1))
    grid[-1, 0].set_xlabel(across, fontsize=TEXT)
    for colour, words in named.items():
        face = drawing.BACKDROP if all(dot.hollow for dot in drawn if dot.colour == colour) else colour
        grid[0, 0].plot([], [], "o", color=colour, markerfacecolor=face, markersize=5, label=words)
    if named:
        figure.legend(loc="outside lower left", fontsize=TEXT, handletextpad=0.2)
    figure.supylabel(down, fontsize=TEXT)
    return figure


def _draw(axes: Axes, height: int, dot: Dot) -> None:
    """Draw a dot, its interval, and its number on the side that has more room."""
    row = dot.row
    low, high = (row.value if end is None else end for end in (row.low, row.high))
    axes.plot([low, high], [height, height], color=dot.colour, linewidth=1.6)
    (mark,) = axes.plot([row.value], [height], "o", color=dot.colour, markersize=5)
    if dot.hollow:
        mark.set_markerfacecolor(drawing.BACKDROP)
    marks.shows(mark, row)
    left = row.value > 0.5
    axes.annotate(
        f"{percent(row.value)}", (low if left else high, height), xytext=(-5 if left else 5, 0),
        textcoords="offset points", ha="right" if left else "left", va="center", fontsize=TEXT,
    )  # fmt: skip
