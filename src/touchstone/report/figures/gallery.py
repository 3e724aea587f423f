"""Figure: the images themselves, clean, attacked, and translated back."""

from __future__ import annotations

import textwrap
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from touchstone.contracts import NonNegativeInt, PositiveFloat, PositiveInt
from touchstone.evaluations.statistics.estimators import Array
from touchstone.evaluations.statistics.rows import of_images, rows_of
from touchstone.evaluations.statistics.threats import seedless
from touchstone.records.nouns import Cell
from touchstone.report import drawing
from touchstone.report.figures._words import CLEAN
from touchstone.report.names import label_of

LETTER, GAP = 0.07, 0.05  # inches: a letter of the words beside the images, and between rows
SIDE, HEAD = 0.75, 0.6  # inches: the most of an image, and of the words above all
SMALL_LETTERS, LINE = 17.5, 0.13  # letters of small text in an inch, and inches from line to line
MOST = 6  # rows
CHANGE, THROUGH = "change", "through "


class _Row(NamedTuple):
    label: str
    images: Array  # (columns, C, H, W)
    clean: Array | None = None  # from which they were made


def gallery(
    examples: list[Cell],
    *,
    classifier: str | None = None,
    seed: NonNegativeInt = 0,
    columns: PositiveInt = 10,
    amplify: PositiveFloat | None = None,
) -> Figure:
    """Return at most six rows of images: per set clean, then per attack attacked, perturbation, and translated.

    Columns are the same inputs in every row of a set: the first of each class in turn, or the first rows if there are
    no classes. Clean images that were translated are the last rows of their set.

    Args:
        examples: clean sets and versions of them.
        classifier, seed: of the networks whose images are shown; None shows those of all classifiers.
        columns: the images per row.
        amplify: the perturbation is drawn as mid-grey plus `amplify` times it; None makes the largest just fit.

    Raises:
        ValueError: there is no clean set, or an attacked set lacks its clean one.
    """
    shown = [cell for cell in examples if of_images(cell).seed in (None, seed)]
    shown = [cell for cell in shown if classifier is None or cell.entry in ("", classifier)]
    rows: list[_Row] = []
    sets = [cell for cell in shown if not cell.attack and not cell.translator]
    for clean in sets:
        ids = clean.noun.example_ids[_columns(clean.noun.labels, columns)]
        name = CLEAN if len(sets) == 1 else f"{CLEAN}\n{label_of(clean.examples)}"
        rows.append(_Row(name, _images(clean, ids)))
        versions = [cell for cell in shown if cell.examples == clean.examples and cell is not clean]
        # Each translated set is below the set that it was made from.
        for cell in sorted(versions, key=lambda cell: (cell.attack == "", cell.victim, cell.attack, cell.translator)):
            own = [_translated(cell, ids)] if cell.translator else _attacked(cell, clean, ids, amplify)
            rows += [row._replace(clean=_images(clean, ids)) for row in own]
    if not rows:
        raise ValueError("no clean example set to show")
    rows = rows[:MOST]
    sources = _sources(sets)
    figure = _draw(rows, columns, sources)
    drawing.headline(figure, _takeaway(rows))
    words = "; ".join(row.label.replace("\n", ", ") for row in rows)
    return drawing.described(figure, f"Images, row by row: {words}. {sources}".strip())


def _sources(sets: list[Cell]) -> str:
    """Return who made the images and under which licence, so that whoever copies the figure copies that, too."""
    notes = [cell.noun.notes for cell in sets]
    made = (f"{note['origin']}. Licence: {note['licence']}" for note in notes if {"origin", "licence"} <= note.keys())
    known = "; ".join(dict.fromkeys(made))
    return f"Images: {known}." if known else ""


def _takeaway(rows: list[_Row]) -> str:
    """Return how far from the clean images attacked and translated ones are."""
    away = {
        row.label.split("\neps")[0].replace("\n", " "): float(np.abs(row.images.astype(np.float64) - row.clean).mean())
        for row in rows
        if row.clean is not None and not row.label.startswith(CHANGE)
    }
    if not away:
        return "Clean images, on which nothing was done"
    made = {name: value for name, value in away.items() if THROUGH not in name}
    back = [value for name, value in away.items() if THROUGH in name]
    words = [f"{name} changes a pixel by {value:.2f} of 1 on average" for name, value in made.items()]
    if back:
        least, most = f"{min(back):.2f}", f"{max(back):.2f}"
        words.append(f"translated images are {least if least == most else f'{least} to {most}'} from their clean ones")
    return "; ".join(words)


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
    name = f"{label_of(cell.attack)} on {label_of(seedless(cell.victim))}"
    if "eps" in cell.settings:
        name += f"\neps {cell.settings['eps']:.3g}"
    return [
        _Row(name, attacked),
        _Row(f"{CHANGE} × {factor:.3g}\n(grey: no change)", (0.5 + factor * change).clip(0, 1)),
    ]


def _translated(cell: Cell, ids: Array) -> _Row:
    return _Row(f"{label_of(cell.attack or CLEAN)}\n{THROUGH}{label_of(seedless(cell.translator))}", _images(cell, ids))


def _draw(rows: list[_Row], columns: int, sources: str) -> Figure:
    strips = [_strip(row.images, columns) for row in rows]
    longest = max(len(line) for row in rows for line in row.label.split("\n"))
    beside = 0.2 + longest * LETTER
    width = min(drawing.WIDTH - beside, SIDE * columns)
    heights = [width * strip.shape[0] / strip.shape[1] for strip in strips]
    lines = textwrap.wrap(sources, int((beside + width) * SMALL_LETTERS))
    foot = LINE * (len(lines) + 0.5) if lines else 0.0
    whole = sum(heights) + GAP * len(rows)
    height = foot + whole + HEAD
    figure = Figure(figsize=(beside + width, height))
    figure.text(0.01, LINE / 4 / height, "\n".join(lines), fontsize=7)
    figure.set_layout_engine("none")  # a layout engine would move images off the pixel grid
    place = {"left": beside / (beside + width), "right": 1, "bottom": foot / height, "top": (foot + whole) / height}
    space = {"hspace": GAP * len(rows) / sum(heights), "height_ratios": heights}
    grid = figure.subplots(len(rows), 1, squeeze=False, gridspec_kw=place | space)
    for axes, row, strip in zip(grid[:, 0], rows, strips, strict=True):
        axes.set_axis_off()
        axes.imshow(strip, interpolation="none")
        axes.text(-0.012, 0.5, row.label, transform=axes.transAxes, ha="right", va="center", fontsize=8.5)
    return figure


def _strip(images: Array, columns: int) -> Array:
    """Return the images side by side as one RGB image, (H, W', 3), with a gap after each; missing ones are blank.

    One picture per row is faster than one per image, of which matplotlib draws 100 a second.
    """
    count, channels, height, width = images.shape
    gap = max(1, width // 16)
    strip = np.ones((height, columns, width + gap, 3))
    shown = np.moveaxis(images, 1, -1)[..., [0, 0, 0] if channels == 1 else [0, 1, 2]]
    strip[:, :count, :width] = shown.transpose(1, 0, 2, 3)
    return strip.reshape(height, columns * (width + gap), 3)
