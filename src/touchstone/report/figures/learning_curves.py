"""Figure: loss and accuracy over the epochs of training."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from touchstone.evaluations.statistics.estimators import Array
from touchstone.evaluations.statistics.rows import grouped
from touchstone.evaluations.statistics.threats import seedless
from touchstone.records.nouns import Cell
from touchstone.report import drawing, palette

PANELS = {
    "train_loss": "loss in training",
    "validation_loss": "loss in validation",
    "validation_accuracy": "clean validation images",
    "training_attack_accuracy": "under the training's attack",
    "pgd_accuracy": "under 20 steps of PGD",
}


def learning_curves(checkpoints: list[Cell], *, networks: list[str] | None = None) -> Figure:
    """Return one panel per curve of the checkpoints' histories over epochs, one line per network.

    A loss is that of the network's own objective, so adversarial for adversarial training. Accuracy under attack is drawn of
    networks that train against attacks. Lines are means over seeds, bands go from the least to the greatest.

    Args:
        checkpoints: of classifiers or translators.
        networks: those to show; None shows all.

    Raises:
        ValueError: no checkpoint has a history.
    """
    shown = [cell for cell in checkpoints if cell.noun.history and (networks is None or _name(cell) in networks)]
    if not shown:
        raise ValueError("no checkpoint with a history to draw")
    curves = [name for name in PANELS if any(name in cell.noun.history for cell in shown)]
    figure, panels = drawing.panels(len(curves), columns=3, height=2.7)
    groups = grouped(shown, _name)
    for axes, curve in zip(panels, curves, strict=True):
        for name, cells in groups.items():
            values = [cell.noun.history[curve] for cell in cells if curve in cell.noun.history]
            if values:
                _draw(axes, name, np.stack(values), groups)
        axes.set(title=PANELS[curve], xlabel="epoch", ylabel="accuracy" if "accuracy" in curve else "loss (nats)")
        if "accuracy" in curve:
            axes.yaxis.set_major_formatter(PercentFormatter(1))
        else:
            axes.set_yscale("log")
    panels[-1].legend()
    return drawing.described(figure, _words(groups, curves))


def _name(cell: Cell) -> str:
    return cell.entry or seedless(cell.translator)


def _draw(axes: Axes, name: str, values: Array, shown: dict[str, list[Cell]]) -> None:
    epochs = np.arange(1, values.shape[1] + 1)
    look = {**palette.line(name, shown), "marker": None}
    axes.plot(epochs, values.mean(axis=0), label=name, **look)
    axes.fill_between(epochs, values.min(axis=0), values.max(axis=0), color=look["color"], alpha=0.18, linewidth=0)


def _words(groups: dict[str, list[Cell]], curves: list[str]) -> str:
    parts = []
    for name, cells in groups.items():
        ends = [
            f"{curve.replace('_', ' ')} {np.mean([cell.noun.history[curve][-1] for cell in cells]):.3g}"
            for curve in curves
            if all(curve in cell.noun.history for cell in cells)
        ]
        parts.append(f"{name} ends with {', '.join(ends)}")
    return f"Learning curves. {'; '.join(parts)}."
