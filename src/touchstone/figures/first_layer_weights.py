"""Figure: the weights of the first layer as images."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.figure import Figure

from touchstone.contracts import NonNegativeInt, PositiveInt
from touchstone.records.nouns import Cell
from touchstone.report import drawing
from touchstone.statistics.estimators import Array

LETTER = 0.062  # inches


def first_layer_weights(
    checkpoints: list[Cell],
    *,
    classifiers: list[str] | None = None,
    seed: NonNegativeInt = 0,
    units: PositiveInt = 12,
) -> Figure:
    """Return one row per classifier: the weights of some units of its first layer, as images of the input's size.

    Mid-grey is 0, white the greatest weight of the row, black minus that. The units are those of the greatest norm in
    the first classifier whose layer has as many. Rows of one architecture show the same units, because networks of one
    seed start from the same weights.

    Args:
        checkpoints: of classifiers; those whose first layer is not linear are skipped.
        classifiers: those to show; None shows all.
        seed: of the networks.
        units: how many per row.

    Raises:
        ValueError: no classifier has a linear first layer.

    References:
        Goodfellow et al. 2015, figure 3.
    """
    shown = [cell for cell in checkpoints if cell.entry and cell.seed == seed]
    shown = [cell for cell in shown if classifiers is None or cell.entry in classifiers]
    layers = {cell.entry: layer for cell in shown if (layer := _first_layer(cell)) is not None}
    if not layers:
        raise ValueError(f"no classifier of seed {seed} whose first layer is linear")
    chosen: dict[int, Array] = {}
    for layer in layers.values():
        chosen.setdefault(len(layer), np.argsort(-np.square(layer).sum(axis=(1, 2)), kind="stable")[:units])
    beside = 0.2 + max(map(len, layers)) * LETTER
    strips = {name: _strip(layer[chosen[len(layer)]], units) for name, layer in layers.items()}
    heights = [(drawing.WIDTH - beside) * strip.shape[0] / strip.shape[1] for strip in strips.values()]
    figure = Figure(figsize=(drawing.WIDTH, sum(heights) + 0.06 * len(heights)))
    figure.set_layout_engine("none")
    place = {"left": beside / drawing.WIDTH, "right": 1, "bottom": 0, "top": 1, "hspace": 0.06}
    grid = figure.subplots(len(strips), 1, squeeze=False, gridspec_kw={**place, "height_ratios": heights})
    for axes, (name, strip) in zip(grid[:, 0], strips.items(), strict=True):
        axes.set_axis_off()
        axes.imshow(strip, cmap="gray", vmin=0, vmax=1, interpolation="none")
        axes.text(-0.012, 0.5, name, transform=axes.transAxes, ha="right", va="center", fontsize=7.5)
    return drawing.described(figure, f"Weights of the first layer as images, row by row: {', '.join(layers)}.")


def _first_layer(cell: Cell) -> Array | None:
    """Return the first weights that take every pixel, mean over channels, (units, H, W); None if there are none."""
    channels, height, width = cell.noun.input_shape
    for name in sorted(cell.noun.weights):
        weights = cell.noun.weights[name]
        if weights.ndim == 2 and weights.shape[1] == math.prod(cell.noun.input_shape):
            pixels = weights.reshape(-1, channels, height, width)
            return np.asarray(pixels.mean(axis=1))
    return None


def _strip(layer: Array, columns: int) -> Array:
    """Return the units side by side, scaled to [0, 1] with 0 at mid-grey, a white gap after each."""
    count, height, width = layer.shape
    strip = np.ones((height, columns, width + max(1, width // 16)))
    strip[:, :count, :width] = (0.5 + layer / (2 * np.abs(layer).max())).transpose(1, 0, 2)
    return strip.reshape(height, -1)
