"""Matrices of numbers as coloured cells with the numbers in them, and below each its interval in smaller type."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from touchstone.evaluations.statistics.wording import RANGE
from touchstone.records.metric_tables import MetricRow
from touchstone.report import drawing, marks

# Safe for the colour-blind; light in the middle, where a number means chance.
COLOURS = "PuOr"
DARK, LIGHT = "#101418", "#fdfdfd"  # on coloured cells, whatever the colours of the page
LETTER = 0.073  # inches
SIZE, SMALL = 7.5, 5.8  # points of a number and of its interval: print needs 5 or more
CROWD = 12  # the most columns whose cells are wider than an interval
HEIGHT = 0.29  # inches of a cell: both lines and some air
ENDS = {False: "95 % interval", True: "range over seeds"}  # by whether the method of a row is RANGE
Places = tuple[str, str]  # row, column


def what_ends_are(rows: Iterable[MetricRow]) -> str:
    """Return what the small type in the cells of these rows means, for a title."""
    ranges = {row.method == RANGE for row in rows}
    return " or ".join(words for is_range, words in ENDS.items() if is_range in ranges)


def _number(axes: Axes, across: float, down: float, row: MetricRow, ink: str, fits: bool) -> None:
    """Write a number into the middle of a cell, and its ends, if it has both and they fit, below it in smaller type."""
    ends = f"{row.low:.2f}–{row.high:.2f}" if fits and row.low is not None and row.high is not None else ""
    text = axes.annotate(
        f"{row.value:.2f}", (across, down), (0, -0.12 * SIZE if ends else 0), textcoords="offset points",
        ha="center", va="bottom" if ends else "center", fontsize=SIZE, color=ink,
    )  # fmt: skip
    marks.shows(text, row)
    if ends:
        axes.annotate(ends, (across, down), (0, -0.22 * SIZE), textcoords="offset points", ha="center", va="top",
                      fontsize=SMALL, color=ink)  # fmt: skip


def figure_of(tables: Mapping[str, Sequence[str]], columns: Sequence[str]) -> tuple[Figure, list[Axes]]:
    """Return a figure with one panel per title, above each other, high enough for its rows."""
    heights = [len(rows) for rows in tables.values()]
    words = max(len(column) for column in columns) * LETTER * 0.75
    size = (drawing.WIDTH, sum(heights) * HEIGHT + len(heights) * (0.55 + words))
    figure = Figure(figsize=size)
    axes = figure.subplots(len(tables), 1, squeeze=False, gridspec_kw={"height_ratios": [h + 1 for h in heights]})
    return figure, list(axes[:, 0])


def draw(
    axes: Axes,
    shown: Mapping[Places, MetricRow],
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    title: str,
    small: str,
    words: tuple[str, str],
    names: Mapping[str, str],
) -> None:
    """Draw the numbers of `rows` (from the top) on `columns`, from 0 in orange over white to 1 in violet.

    Args:
        axes: where to draw them.
        shown: {(row, column): the metrics row of its number}; a cell without one stays empty.
        rows, columns: in the order of the picture.
        title: above it.
        small: what the intervals in small type are. They are left out if there are too many columns for them.
        words: what rows and what columns are.
        names: {row or column: the words shown for it}.
    """
    colours = matplotlib.colormaps[COLOURS]
    fits = len(columns) <= CROWD
    for top, row in enumerate(rows):
        for left, column in enumerate(columns):
            measured = shown.get((row, column))
            if measured is None:
                continue
            # Not to the very ends of the colours, on which any text is hard to read.
            red, green, blue, _ = colours(0.08 + 0.84 * measured.value)
            axes.add_patch(Rectangle((left, top), 1, 1, facecolor=(red, green, blue), edgecolor="none"))
            ink = DARK if 0.299 * red + 0.587 * green + 0.114 * blue > 0.55 else LIGHT
            _number(axes, left + 0.5, top + 0.5, measured, ink, fits)
    axes.set(
        xlim=(0, len(columns)),
        ylim=(len(rows), 0),
        title=f"{title}; small: {small}" if fits else title,
        ylabel=words[0],
        xlabel=words[1],
    )
    across, down = ([names[name] for name in named] for named in (columns, rows))
    axes.set_xticks([left + 0.5 for left in range(len(columns))], across, rotation=35, ha="right", fontsize=7.5)
    axes.set_yticks([top + 0.5 for top in range(len(rows))], down, fontsize=7.5)
    axes.grid(visible=False)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
