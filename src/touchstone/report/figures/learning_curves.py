"""Figure: accuracy over the epochs of training, or the loss of networks that have none."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from touchstone.evaluations.statistics.estimators import Array
from touchstone.evaluations.statistics.rows import grouped
from touchstone.evaluations.statistics.threats import seedless
from touchstone.records.nouns import Cell
from touchstone.report import drawing, palette
from touchstone.report.figures._curves import legend_below
from touchstone.report.names import called, label_of, told_apart

ATTACKED, PGD = "training_attack_accuracy", "pgd_accuracy"
ACCURACIES = {
    "validation_accuracy": "clean validation images",
    ATTACKED: "under the training's attack",
    PGD: "under 20 steps of PGD",
}
HEIGHT = 1.6  # inches of a panel; they are above each other, so that an epoch is at one place in all
LOSSES = {"train_loss": "in training", "validation_loss": "in validation"}


def learning_curves(checkpoints: list[Cell], *, networks: list[str] | None = None) -> Figure:
    """Return one panel per curve of the checkpoints' histories over epochs, one line per network.

    Curves are of accuracy: on clean images and, of networks that train against attacks, under attack. Without any, as of
    translators, they are of the loss of the network's own objective. Lines are means over seeds, bands go from the least to
    the greatest.

    Args:
        checkpoints: of classifiers or translators.
        networks: those to show; None shows all.

    Raises:
        ValueError: no checkpoint has a history.
    """
    shown = [cell for cell in checkpoints if cell.noun.history and (networks is None or _name(cell) in networks)]
    if not shown:
        raise ValueError("no checkpoint with a history to draw")
    groups = grouped(shown, _name)
    with told_apart(groups):
        return _drawn(groups)


def _drawn(groups: dict[str, list[Cell]]) -> Figure:
    measured = {name for cells in groups.values() for cell in cells for name in cell.noun.history}
    panels = ACCURACIES if measured & set(ACCURACIES) else LOSSES
    curves = [name for name in panels if name in measured]
    figure, grid = drawing.panels(len(curves), columns=1, height=HEIGHT, sharex=True, sharey=True)
    for axes, curve in zip(grid, curves, strict=True):
        for name, cells in groups.items():
            values = [cell.noun.history[curve] for cell in cells if curve in cell.noun.history]
            if values:
                _draw(axes, name, np.stack(values), groups)
        axes.set(title=panels[curve])
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    if panels is ACCURACIES:
        grid[0].set_ylim(-0.02, 1.02)
        grid[0].yaxis.set_major_formatter(PercentFormatter(1))
    else:
        grid[0].set_yscale("log")
    grid[-1].set_xlabel("epoch")
    figure.supylabel("accuracy" if panels is ACCURACIES else "loss (nats)", fontsize=9)
    legend_below(figure, grid, ncols=2)
    drawing.headline(figure, _takeaway(groups, curves))
    return drawing.described(figure, _words(groups, curves))


def _last(cells: list[Cell], curve: str) -> float | None:
    """Return the mean over seeds of the last value of a curve; None if a network lacks it."""
    values = [cell.noun.history[curve][-1] for cell in cells if curve in cell.noun.history]
    return float(np.mean(values)) if len(values) == len(cells) else None


def _takeaway(groups: dict[str, list[Cell]], curves: list[str]) -> str:
    """Return which two networks resist the attack of their training most beyond PGD; without attacks, who ends where."""
    ends = {name: {curve: _last(cells, curve) for curve in curves} for name, cells in groups.items()}
    both = {
        name: (own, pgd)
        for name, values in ends.items()
        if (own := values.get(ATTACKED)) is not None and (pgd := values.get(PGD)) is not None
    }
    if both:
        order = sorted(both, key=lambda name: both[name][1] - both[name][0])
        first, *second = [(called(name), *both[name]) for name in order[:2]]
        words = "After the last epoch {} is right on {:.0%} under the attack of its training, on {:.0%} under PGD"
        return words.format(*first) + "".join("; {}, on {:.0%} and {:.0%}".format(*one) for one in second)
    curve = curves[0] if curves[0] in ACCURACIES else curves[-1]
    last = {name: value for name, values in ends.items() if (value := values[curve]) is not None}
    order = sorted(last, key=lambda name: -last[name])
    named = list(dict.fromkeys((order[0], order[-1])))
    if curve in ACCURACIES:
        return "After the last epoch, " + ", ".join(f"{called(name)} is right on {last[name]:.0%}" for name in named)
    return f"After the last epoch, the loss {LOSSES[curve]} is " + ", ".join(
        f"{last[one]:.3g} of {called(one)}" for one in named
    )


def _name(cell: Cell) -> str:
    return cell.entry or seedless(cell.translator)


def _draw(axes: Axes, name: str, values: Array, shown: dict[str, list[Cell]]) -> None:
    epochs = np.arange(1, values.shape[1] + 1)
    # Of few lines each has its own dashes, whatever the many of the whole report have.
    look = palette.line(name, shown) | {"linestyle": palette.LINES[list(shown).index(name) % len(palette.LINES)]}
    if values.shape[1] > 1:
        look |= {"marker": None}  # of a single epoch there is no line
    axes.plot(epochs, values.mean(axis=0), label=label_of(name), **look)
    axes.fill_between(epochs, values.min(axis=0), values.max(axis=0), color=look["color"], alpha=0.18, linewidth=0)


def _words(groups: dict[str, list[Cell]], curves: list[str]) -> str:
    parts = []
    for name, cells in groups.items():
        values = {curve: _last(cells, curve) for curve in curves}
        ends = [f"{curve.replace('_', ' ')} {value:.3g}" for curve, value in values.items() if value is not None]
        parts.append(f"{called(name)} ends with {', '.join(ends)}")
    return f"Learning curves. {'; '.join(parts)}."
