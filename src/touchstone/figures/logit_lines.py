"""Figure: the logits of a few images along the sign of the gradient."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from touchstone.contracts import NonNegativeInt, PositiveInt
from touchstone.figures._curves import legend_below
from touchstone.records.class_names import class_name
from touchstone.records.nouns import Cell, ExampleSet
from touchstone.report import drawing, palette
from touchstone.statistics.estimators import Array
from touchstone.statistics.logit_paths import LogitPath, logit_paths

TRUE = palette.COLOURS["blue"]  # of the true class, in all rows


def logit_lines(
    outputs: list[Cell],
    examples: list[Cell],
    *,
    classifiers: list[str] | None = None,
    seed: NonNegativeInt = 0,
    images: PositiveInt = 3,
) -> Figure:
    """Return, per classifier (rows), the K logits of some images (columns) at x + t sign(gradient), over t.

    The images are the first of each class in turn, the same in each row. The thick line is the true class, the dashed
    one the class that wins at the greatest t; the others are thin. Lines far below these are cut off, or those of an RBF
    network would flatten the two.

    Args:
        outputs: of classifiers on a clean set and on white-box FGSM images of it without clipping, at several eps.
        examples: the clean set, which knows what its classes are called.
        classifiers, seed: those to show; None shows all classifiers.
        images: how many per classifier.

    Raises:
        ValueError: there are no such outputs.

    References:
        Goodfellow et al. 2015, figure 4.
    """
    paths = [path for path in logit_paths(outputs) if path.clean.seed == seed]
    paths = [path for path in paths if classifiers is None or path.clean.entry in classifiers]
    if not paths:
        raise ValueError(f"no outputs of seed {seed} on unclipped FGSM images")
    figure, panels = drawing.panels(len(paths) * images, columns=images, height=2.0, sharex=True)
    for place, axes in enumerate(panels):
        path = paths[place // images]
        clean = (cell.noun for cell in examples if cell.examples == path.clean.examples)
        _draw(axes, path, _chosen(path.labels, images)[place % images], next(clean, None))
        axes.set_xlabel("t (pixels)", visible=place >= len(panels) - images)  # once per column, below it
    legend_below(figure, panels, ncols=2)
    names = ", ".join(f"{path.clean.entry}.{seed} on {path.clean.examples}" for path in paths)
    greatest = max(float(path.places[-1]) for path in paths)
    words = f"Logits of {images} images along x + t sign(gradient), t from 0 to {greatest:g}: {names}."
    return drawing.described(figure, words)


def _chosen(labels: Array, count: int) -> Array:
    """Return the first row of each class, then the second of each, ..."""
    turn = np.zeros(len(labels), dtype=np.int64)
    for label in np.unique(labels):
        turn[labels == label] = np.arange((labels == label).sum())
    return np.lexsort((labels, turn))[:count]


def _draw(axes: Axes, path: LogitPath, row: int, clean: ExampleSet | None) -> None:
    logits, own = path.logits[:, row], int(path.labels[row])
    winner = int(logits[-1].argmax())
    others = [label for label in range(logits.shape[1]) if label not in (own, winner)]
    for label in others:
        name = "other classes" if label == others[0] else None
        axes.plot(path.places, logits[:, label], color=drawing.FAINT, linewidth=0.7, alpha=0.7, zorder=1, label=name)
    axes.plot(path.places, logits[:, own], color=TRUE, linewidth=2.2, marker=".", label="true class")
    if winner != own:
        axes.plot(
            path.places, logits[:, winner], color=drawing.INK, linestyle="--", linewidth=1.4, label="wins in the end"
        )
    start, end = (class_name(clean, label) for label in (own, winner))
    axes.set_ylim(bottom=_bottom(logits, own))
    axes.set_title(f"{path.clean.entry}: {start}" + (f" → {end}" if winner != own else ""), fontsize=8)
    axes.set_ylabel("logit")


def _bottom(logits: Array, own: int) -> float | None:
    """Return where the axis ends: as far below the true class and its last rival as twice their range; None: at the data."""
    rival = int(np.delete(logits[-1], own).argmax())
    pair = logits[:, [own, rival + (rival >= own)]]
    cut = float(pair.min() - 2 * np.ptp(pair))
    return cut if cut > logits.min() else None
