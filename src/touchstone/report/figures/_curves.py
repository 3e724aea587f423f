"""Metrics rows as curves in bands and as marks with error bars."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import offset_copy

from touchstone.records.metric_tables import MetricRow
from touchstone.report import marks, palette
from touchstone.report.names import label_of

MARK, NAME = 16, 22  # points of type from the end of a curve to the mark beside its name, and to the name
GAP = 0.065  # the least distance between two names, as a share of the axis

Curve = dict[float, MetricRow]  # eps -> the row of the number there
Pair = tuple[str, str]


def means_first(rows: Iterable[MetricRow]) -> list[MetricRow]:
    """Return the rows with means over seeds before single seeds, otherwise in their order."""
    return sorted(rows, key=lambda row: row.seed is not None)


def overall(rows: Iterable[MetricRow], about: Callable[[MetricRow], Pair]) -> dict[Pair, MetricRow]:
    """Return one row for each pair of words that rows are about: the mean over seeds, or the first if there is none."""
    found: dict[Pair, MetricRow] = {}
    for row in means_first(rows):
        found.setdefault(about(row), row)
    return found


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
    (line,) = axes.plot(places, [row.value for row in rows], label=label, **look)
    marks.shows(line, *rows)
    band = {"color": look["color"], "alpha": alpha, "linewidth": 0, "label": f"_{label}"}
    axes.fill_between(places, low, high, **band)  # type: ignore[arg-type]


def error_bars(row: MetricRow) -> list[list[float]]:
    """Return the lengths of the 95 % interval below and above a row's value, as Axes.errorbar takes them."""
    return [[abs(end - row.value)] if end is not None else [] for end in (row.low, row.high)]


def legend_below(figure: Figure, panels: Iterable[Axes], **look: Any) -> None:
    """Write one legend of all panels below the figure, with each name once.

    Args:
        figure, panels: where the names are.
        **look: passed to Figure.legend.
    """
    named = {text: line for axes in panels for line, text in zip(*axes.get_legend_handles_labels(), strict=True)}
    figure.legend(named.values(), named.keys(), loc="outside lower center", **look)


def label_ends(axes: Axes, ends: dict[str, tuple[float, float]], entries: Iterable[str]) -> None:
    """Write each curve's mark and label beside its last point, moved so that no two labels meet, nor one the axis.

    A thin line leads from the last point to each name, so that a name that was moved is not read as a value.

    Args:
        axes: where the curves are, with fixed limits of the vertical axis.
        ends: {name: its last point}.
        entries: all names of the figure, for their colours.
    """
    entries = list(entries)
    bottom, top = axes.get_ylim()
    step = GAP * (top - bottom)
    order = sorted(ends, key=lambda name: ends[name][1])
    heights: list[float] = []
    for name in order:
        heights.append(max(ends[name][1], heights[-1] + step if heights else bottom + 0.6 * step))
    over = max(0.0, heights[-1] - (top - step / 2)) if heights else 0.0
    for place in range(len(heights) - 1, -1, -1):  # what does not fit below the top moves the others down
        heights[place] -= over
        over = max(0.0, over - (heights[place] - heights[place - 1] + over - step)) if place else 0.0
    axes.get_xlim()  # of the curves
    axes.autoscale(False)  # the marks are beyond them
    for name, height in zip(order, heights, strict=True):
        look, across = palette.line(name, entries), ends[name][0]
        beside, behind = (
            offset_copy(axes.transData, axes.get_figure(root=True), x=points, units="points") for points in (MARK, NAME)
        )
        axes.scatter(
            [across], [height], marker=look["marker"], color=look["color"], s=16, transform=beside, clip_on=False
        )
        axes.annotate(label_of(name), (across, height), xycoords=behind, va="center", fontsize=8, color=look["color"],
                      annotation_clip=False)  # fmt: skip
        leader = {"arrowstyle": "-", "color": look["color"], "linewidth": 0.6, "shrinkA": 3, "shrinkB": 3}
        axes.annotate("", (across, height), ends[name], xycoords=beside, textcoords="data", arrowprops=leader,
                      annotation_clip=False)  # fmt: skip
