"""Figure: the gradient features themselves, tensor by tensor."""

from __future__ import annotations

import re

import numpy as np
from matplotlib.figure import Figure

from touchstone.contracts import NonNegativeInt
from touchstone.figures._words import set_name
from touchstone.records.nouns import Cell
from touchstone.report import drawing, palette
from touchstone.statistics.estimators import Array
from touchstone.statistics.rows import place

FLOOR = 1e-12  # added before the logarithm, as the detectors do


def gradient_profile(
    outputs: list[Cell],
    checkpoints: list[Cell],
    *,
    id_examples: str,
    label: str = "softmax_all",
    classifier: str | None = None,
    seed: NonNegativeInt = 0,
    sets: list[str] | None = None,
) -> Figure:
    """Return squared gradient norms per parameter tensor: the median and the middle half of each set.

    The y axis is logarithmic, in units of the clean median of each tensor, because tensors differ by many orders of
    magnitude. A clean image is at 1.

    Args:
        outputs: on clean, attacked and anomalous sets.
        checkpoints: of the same networks; they name the tensors, from input to output.
        id_examples: the clean set.
        label: the confounding label that the gradient is of.
        classifier, seed: of the network; None takes the first.
        sets: those to show besides `id_examples`, by their places such as digits_test/pgd; None shows all.

    Raises:
        ValueError: there are no outputs on `id_examples` and another set.
    """
    entry = classifier or outputs[0].entry
    own = [cell for cell in outputs if (cell.entry, cell.seed) == (entry, seed) and not cell.translator]
    clean = next((cell for cell in own if place(cell) == id_examples), None)
    others = [cell for cell in own if cell is not clean and (sets is None or place(cell) in sets)]
    if clean is None or not others:
        raise ValueError(f"no outputs of {entry}.{seed} on {id_examples} and another set")
    unit = np.median(_logs(clean, label), axis=0)
    names = _names(checkpoints, entry, seed, len(unit))
    figure, (axes,) = drawing.panels(1, height=3.4)
    figure.set_figwidth(drawing.WIDTH)
    width = 0.8 / (len(others) + 1)
    places = np.arange(len(unit))
    medians = []
    for turn, cell in enumerate([clean, *others]):
        low, middle, high = np.quantile(_logs(cell, label) - unit, [0.25, 0.5, 0.75], axis=0)
        colour = palette.IN_DISTRIBUTION if cell is clean else palette.population(turn - 1)["color"]
        name = set_name(place(cell), id_examples)
        at = places + (turn - len(others) / 2) * width
        axes.bar(at, high - low, width * 0.9, bottom=low, color=colour, alpha=0.55, label=name)
        axes.hlines(middle, at - width * 0.45, at + width * 0.45, color=colour, linewidth=2)
        medians.append(f"{name} {10 ** middle[0]:.2g} in {names[0]} and {10 ** middle[-1]:.2g} in {names[-1]}")
    axes.use_sticky_edges = False  # otherwise the lowest bar ends on the frame, as if it were cut
    axes.axhline(0, color=drawing.FAINT, linewidth=0.8)
    axes.set_xticks(places, names, rotation=35 if len(names) < 20 else 90, ha="right", fontsize=7.5)
    axes.grid(visible=False, axis="x")
    axes.yaxis.set_major_formatter(lambda value, _: f"{10**value:.2g}")
    axes.set(title=f"{entry}, seed {seed}, label {label}", xlabel="parameter tensor, from input to output")
    axes.set_ylabel("squared norm (clean median = 1)")
    figure.legend(loc="outside lower center", ncols=4)
    words = "medians over the clean median: " + "; ".join(medians)
    return drawing.described(figure, f"Gradient norms of {entry} per parameter tensor, {words}.")


def _logs(cell: Cell, label: str) -> Array:
    return np.asarray(np.log10(cell.noun.gradient_norms[label].astype(np.float64) + FLOOR))


def _names(checkpoints: list[Cell], entry: str, seed: int, count: int) -> list[str]:
    """Return the tensors' names in the order of the layers, as the columns are; numbers if that order is unclear.

    A checkpoint keeps its weights in alphabetical order, so the order of the layers is clear only if they are numbered.
    """
    weights = [cell.noun.weights for cell in checkpoints if (cell.entry, cell.seed) == (entry, seed)]
    names = list(weights[0]) if weights else []
    numbered = [re.fullmatch(r"(\d+)\.(weight|bias)", name) for name in names]
    if len(names) != count or not all(numbered):
        return [f"tensor {column}" for column in range(1, count + 1)]
    return sorted(names, key=lambda name: (int(name.split(".")[0]), name.endswith("bias")))
