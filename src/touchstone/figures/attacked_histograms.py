"""Figure: the scores of ID and OOD inputs before an attack on both, and after it."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from touchstone.contracts import NonNegativeInt, PositiveInt
from touchstone.records.nouns import Cell
from touchstone.report import drawing, palette
from touchstone.statistics.estimators import Array, auroc
from touchstone.statistics.rows import only

HEIGHT = 1.75  # inches of one row of panels


def attacked_histograms(
    scores: list[Cell],
    *,
    id_examples: str,
    ood_examples: str,
    attack: str,
    detector: str = "msp",
    seed: NonNegativeInt = 0,
    bins: PositiveInt = 25,
) -> Figure:
    """Return one column per classifier, its clean scores above those under `attack`: ID filled, OOD as a line.

    The AUROC of what a panel shows is in its title.

    Args:
        scores: of each classifier with `detector` on both sets, clean and attacked.
        id_examples, ood_examples: the two sets.
        attack: the attack to show.
        detector, seed: the ones to show.
        bins: of a histogram.

    Raises:
        ValueError: one of the four scores of a classifier is missing.
    """
    shown = [cell for cell in scores if (cell.detector, cell.seed) == (detector, seed) and not cell.translator]
    entries = list(dict.fromkeys(cell.entry for cell in shown))
    if not entries:
        raise ValueError(f"no scores of {detector}, seed {seed}")
    figure = Figure(figsize=(drawing.WIDTH, 2 * HEIGHT + 0.5))
    panels = figure.subplots(2, len(entries), squeeze=False, sharex=True, sharey=True)
    populations = {
        (state, entry): tuple(_scores(shown, entry, examples, name) for examples in (id_examples, ood_examples))
        for state, name in (("clean", ""), ("attacked", attack))
        for entry in entries
    }
    every = np.concatenate([side for sides in populations.values() for side in sides])
    edges = np.histogram_bin_edges(every, bins)
    for axes, ((state, entry), (id_scores, ood_scores)) in zip(panels.flat, populations.items(), strict=True):
        _draw(axes, edges, id_scores, ood_scores, (id_examples, ood_examples))
        title = f"{entry}\n" if state == "clean" else ""
        axes.set_title(f"{title}AUROC {auroc(id_scores, ood_scores):.2f}", fontsize=8)
    for axes, state in zip(panels[:, 0], ("clean", "attacked"), strict=True):
        axes.set_ylabel(state, fontsize=8)
    figure.supylabel("share of the set", fontsize=9)
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=2)
    figure.supxlabel(f"score of {detector}, higher is more anomalous (seed {seed})", fontsize=9)
    areas = [f"{entry} {state} {auroc(*sides):.2f}" for (state, entry), sides in populations.items()]
    about = f"Histograms of {detector} scores of {id_examples} and {ood_examples}, clean and under {attack}"
    return drawing.described(figure, f"{about}; AUROC: {', '.join(areas)}.")


def _scores(cells: list[Cell], entry: str, examples: str, attack: str) -> Array:
    own = (cell for cell in cells if (cell.entry, cell.examples, cell.attack) == (entry, examples, attack))
    cell = only(own, f"scores of {entry} on {examples}{' under ' * bool(attack)}{attack}")
    return np.asarray(cell.noun.scores)


def _draw(axes: Axes, edges: Array, id_scores: Array, ood_scores: Array, names: tuple[str, str]) -> None:
    counts = [np.histogram(values, edges)[0] / len(values) for values in (id_scores, ood_scores)]
    axes.stairs(counts[0], edges, label=names[0], fill=True, color=palette.IN_DISTRIBUTION, alpha=0.6)
    axes.stairs(counts[1], edges, label=names[1], linewidth=1.4, **palette.population(0))
