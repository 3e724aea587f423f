"""Figure: every translator against every attack, whichever it was trained on."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from touchstone.evaluations.statistics.intervals import Interval
from touchstone.evaluations.statistics.places import place_of
from touchstone.records.metric_rows import NONE
from touchstone.records.metric_tables import MetricRow
from touchstone.report import drawing
from touchstone.report.figures import _heat_maps

UNTRANSLATED, CLEAN = "no translator", "not attacked"
SHADES = "Blues"


def translation_matrix(
    metrics: list[MetricRow], *, classifier: str, examples: str, images: str | None = None
) -> Figure:
    """Return one matrix: accuracy of `classifier` on `examples`, clean and per attack, through each translator.

    The first line is without a translator. Within a column all translators get the same images. The 95 % intervals are
    in small type.

    Args:
        metrics: rows of a translation evaluation, with means over seeds if there are several.
        classifier: the one to show.
        examples: the clean set.
        images: what the title calls its images, if they differ from clean ones: "darker images".

    Raises:
        ValueError: there is no accuracy to show.
    """
    shown: dict[tuple[str, str], MetricRow] = {}
    for row in sorted(metrics, key=lambda row: row.seed is None):
        if (row.entry, row.measured, row.dataset) == (classifier, "accuracy", examples):
            shown[_place(row)] = row
    values = {place: _heat_maps.interval_of(row) for place, row in shown.items()}
    if not values:
        raise ValueError(f"no accuracy of {classifier} on {examples}")
    lines = sorted({line for line, _ in values}, key=lambda line: (line != UNTRANSLATED, line))
    columns = sorted({column for _, column in values}, key=lambda column: (column != CLEAN, column))
    nothing = Interval(np.nan, None, None)
    cells = [[values.get((line, column), nothing) for column in columns] for line in lines]
    table = np.array([[cell.value for cell in line] for line in cells])
    figure = Figure(figsize=(drawing.WIDTH * 0.75, 0.8 + 0.36 * len(lines)))
    axes = figure.subplots()
    axes.pcolormesh(np.ma.masked_invalid(table), cmap=SHADES, vmin=0, vmax=1.4, edgecolors="white", linewidth=1.5)
    for (line, column), value in np.ndenumerate(table):
        if not np.isnan(value):
            share, source = cells[line][column], shown.get((lines[line], columns[column]))
            _heat_maps.number(axes, column + 0.5, line + 0.5, share, _heat_maps.DARK, size=9, percent=True, row=source)
    axes.grid(visible=False)
    axes.set_xticks(np.arange(len(columns)) + 0.5, columns)
    axes.set_yticks(np.arange(len(lines)) + 0.5, lines)
    axes.invert_yaxis()
    axes.set(
        title=f"accuracy of {classifier}{f' on {images}' if images else ''}",
        xlabel=f"tested on; in small type: {_heat_maps.what_ends_are(shown.values())}",
        ylabel="translated by",
    )
    return drawing.described(figure, _words(values, lines, columns))


def _place(row: MetricRow) -> tuple[str, str]:
    """Return the translator and the attack of a row; a white-box attack has no translator, a clean set no attack."""
    place = place_of(row)
    if row.threat.knows == NONE:
        return (place.last if place.changes else UNTRANSLATED), CLEAN
    if row.threat.is_white_box:
        return UNTRANSLATED, place.how
    return place.last, place.before.how


def _words(values: dict[tuple[str, str], Interval], lines: list[str], columns: list[str]) -> str:
    parts = []
    for column in columns:
        own = {line: values[line, column].value for line in lines if (line, column) in values}
        best = max(own, key=lambda line: own[line])
        images = "images that are not attacked" if column == CLEAN else f"{column} images"
        parts.append(f"on {images} most is right through {best} ({own[best]:.0%})")
    return "Accuracy by translator and attack: " + "; ".join(parts) + "."
