"""Figure: the inputs nearest to and farthest from the decision boundary, and those that the logit margin ranks so."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from touchstone.contracts import NonNegativeInt, PositiveInt
from touchstone.records.class_names import class_name
from touchstone.records.nouns import Cell
from touchstone.report import drawing
from touchstone.statistics.estimators import Array, logit_margins
from touchstone.statistics.margin_cells import KeptMargins, kept
from touchstone.statistics.rows import only, rows_of
from touchstone.statistics.threats import network

ABOVE: Any = {"fontsize": 8, "loc": "center", "pad": 3, "linespacing": 1.1}  # words above an image
SOFT = "#5a626d"  # of words that explain others


def brittle_images(
    margins: list[Cell],
    outputs: list[Cell],
    examples: list[Cell],
    *,
    classifier: str | None = None,
    seed: NonNegativeInt = 0,
    columns: PositiveInt = 7,
) -> Figure:
    """Return four rows of images: smallest and greatest input margin, smallest and greatest logit margin.

    The words above each image are its input margin in pixels, its logit margin and its predicted class, with the true
    class in brackets if they differ. Inputs whose margin was not found count as farthest.

    Args:
        margins: of several methods, of which the smallest is kept.
        outputs, examples: of the same sets.
        classifier, seed: the network; None shows the first.
        columns: the images per row.

    Raises:
        ValueError: there are no margins of the network.
    """
    groups = [group for group in kept(margins, outputs) if group.seed == seed]
    groups = [group for group in groups if classifier is None or group.entry == classifier]
    if not groups:
        raise ValueError(f"no margins of seed {seed} of {classifier or 'any classifier'}")
    group = groups[0]
    clean = (cell for cell in examples if cell.examples == group.examples and not cell.attack and not cell.translator)
    cell = only(clean, group.examples)
    images = cell.noun.images[rows_of(cell.noun.example_ids, group.ids, cell.file)]
    labels = cell.noun.labels[rows_of(cell.noun.example_ids, group.ids, cell.file)]
    logits = logit_margins(group.logits)
    near, looks_near = np.lexsort((logits, group.margins)), np.argsort(logits, kind="stable")
    rows = {
        "nearest to\nthe boundary": near[:columns],
        "smallest\nlogit margin": looks_near[:columns],
        "farthest from\nthe boundary": near[::-1][:columns],
        "greatest\nlogit margin": looks_near[::-1][:columns],
    }

    def named(label: int) -> str:
        return class_name(cell.noun, int(label))

    figure = Figure(figsize=(drawing.WIDTH, 1.35 * len(rows)))
    figure.set_layout_engine("none")  # a layout engine would place this many axes slightly differently each time
    place = {"left": 0, "right": 0.995, "bottom": 0.01, "top": 0.88, "wspace": 0.12, "hspace": 1.05}
    grid = {"width_ratios": [1.55] + [1] * columns} | place
    axes_grid = figure.subplots(len(rows), columns + 1, squeeze=False, gridspec_kw=grid)
    for axes_row, (name, chosen) in zip(axes_grid, rows.items(), strict=True):
        axes_row[0].text(1, 0.5, name, ha="right", va="center", transform=axes_row[0].transAxes)
        axes_row[0].set_title(
            "input margin\nlogit margin\nclass\n(true class)", **ABOVE | {"loc": "right", "color": SOFT}
        )
        for axes, place in zip(axes_row[1:], chosen, strict=False):
            axes.imshow(*_shown(images[place]), vmin=0, vmax=1, interpolation="none", gid=f"{name}-{place}")
            true = "" if group.predictions[place] == labels[place] else f"({named(labels[place])})"
            words = f"{_margins(group, logits, int(place))}\n{named(group.predictions[place])}\n{true}"
            axes.set_title(words, **ABOVE)
        for axes in axes_row:
            axes.set_axis_off()
    worst = group.margins[near[:columns]]
    return drawing.described(
        figure,
        f"Images of {group.examples} by the margins of {network(group.outputs)}: the {columns} nearest to its decision"
        f" boundary change class within {worst.max():.3f} pixels; above each, input margin, logit margin and class.",
    )


def _shown(image: Array) -> tuple[Array, str]:
    return (image[0], "gray") if len(image) == 1 else (np.moveaxis(image, 0, 2), "viridis")


def _margins(group: KeptMargins, logits: Array, place: int) -> str:
    margin = f"{group.margins[place]:.3f}" if np.isfinite(group.margins[place]) else "not found"
    return f"{margin}\n{logits[place]:.2g}"
