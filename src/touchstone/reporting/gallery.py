"""Figure: the images themselves, clean, attacked, and translated back."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from touchstone import drawing
from touchstone.contracts import NonNegativeInt, PositiveFloat, PositiveInt
from touchstone.evaluation import Array
from touchstone.metric_rows import of_images, rows_of
from touchstone.records import Cell
from touchstone.threats import seedless


class _Row(NamedTuple):
    label: str
    images: Array  # (columns, C, H, W)


def gallery(
    examples: list[Cell],
    *,
    classifier: str | None = None,
    seed: NonNegativeInt = 0,
    columns: PositiveInt = 10,
    amplify: PositiveFloat | None = None,
) -> Figure:
    """Return rows of images: per set clean, and under it per attack attacked, perturbation, and translated.

    examples: clean sets and versions of them. Columns are the same inputs in every row of a set: the first of each
    class in turn, or the first rows where there are no classes. The perturbation is drawn as mid-grey plus `amplify`
    times it; None makes the largest just fit. classifier, seed: of the networks whose images are shown; without a
    classifier those of all. ValueError where there is no clean set, or an attacked one lacks its own.
    """
    shown = [cell for cell in examples if of_images(cell).seed in (None, seed)]
    shown = [cell for cell in shown if classifier is None or cell.entry in ("", classifier)]
    rows: list[_Row] = []
    for clean in (cell for cell in shown if not cell.attack and not cell.translator):
        ids = clean.noun.example_ids[_columns(clean.noun.labels, columns)]
        rows.append(_Row(clean.examples, _images(clean, ids)))
        versions = [cell for cell in shown if cell.examples == clean.examples and cell is not clean]
        # Translated sets right below what they were made of.
        for cell in sorted(versions, key=lambda cell: (cell.attack != "", cell.victim, cell.attack, cell.translator)):
            rows += [_translated(cell, ids)] if cell.translator else _attacked(cell, clean, ids, amplify)
    if not rows:
        raise ValueError("no clean example set to show")
    words = "; ".join(row.label.replace("\n", ", ") for row in rows)
    return drawing.described(_draw(rows, columns), f"Images, row by row: {words}.")


def _columns(labels: Array, count: int) -> Array:
    """Return rows that go round the classes: the first of each class, then the second of each, ..."""
    turn = np.zeros(len(labels), dtype=np.int64)
    for label in np.unique(labels):
        turn[labels == label] = np.arange((labels == label).sum())
    return np.lexsort((labels, turn))[:count]


def _images(cell: Cell, ids: Array) -> Array:
    return np.asarray(cell.noun.images[rows_of(cell.noun.example_ids, ids, cell.file)])


def _attacked(cell: Cell, clean: Cell, ids: Array, amplify: float | None) -> list[_Row]:
    attacked = _images(cell, ids)
    change = attacked.astype(np.float64) - _images(clean, ids)
    largest = float(np.abs(change).max())
    factor = amplify or (0.5 / largest if largest > 0 else 1.0)
    name = f"{cell.attack} on {seedless(cell.victim)}"
    if "eps" in cell.settings:
        name += f"\neps {cell.settings['eps']:.3g}"
    return [
        _Row(name, attacked),
        _Row(f"change ×{factor:.3g}", (0.5 + factor * change).clip(0, 1)),
    ]


def _translated(cell: Cell, ids: Array) -> _Row:
    return _Row(f"{cell.attack or 'clean'}\nthrough {seedless(cell.translator)}", _images(cell, ids))


def _draw(rows: list[_Row], columns: int) -> Figure:
    height = 0.15 + len(rows) * (drawing.WIDTH - 1.1) / columns
    tight = ConstrainedLayoutEngine(w_pad=0.01, h_pad=0.01, wspace=0.02, hspace=0.02)
    figure = Figure(figsize=(drawing.WIDTH, height), layout=tight)
    grid = figure.subplots(len(rows), columns, squeeze=False)
    for axes_row, row in zip(grid, rows, strict=True):
        for axes in axes_row:
            axes.set_axis_off()
        for axes, image in zip(axes_row, row.images, strict=False):
            axes.imshow(_pixels(image), **_look(image))
        axes_row[0].text(
            -0.12, 0.5, row.label, transform=axes_row[0].transAxes, ha="right", va="center", fontsize=7.5, clip_on=False
        )
    return figure


def _pixels(image: Array) -> Array:
    return image[0] if len(image) == 1 else np.moveaxis(image, 0, -1)


def _look(image: Array) -> dict[str, Any]:
    grey = {"cmap": "gray", "vmin": 0, "vmax": 1} if len(image) == 1 else {}
    return {"interpolation": "nearest", **grey}
