"""Figure: the distribution of each detector's scores on ID and on anomalous sets."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from touchstone.contracts import NonNegativeInt, PositiveInt
from touchstone.figures._words import CLEAN, set_name
from touchstone.records.nouns import Cell
from touchstone.report import drawing, palette
from touchstone.statistics.rows import grouped, only, place


def score_histograms(
    scores: list[Cell],
    *,
    id_examples: str,
    classifier: str | None = None,
    seed: NonNegativeInt = 0,
    bins: PositiveInt = 40,
    only_detectors: list[str] | None = None,
) -> Figure:
    """Return one panel per detector: ID scores filled, anomalous sets as lines, thresholds as dashed verticals.

    Scores beyond the 1st and the 99th percentile of each set are counted in the outermost bins.

    Args:
        scores: as for roc_curves; the cell on `id_examples` may name thresholds in its settings.
        id_examples: the in-distribution set.
        classifier, seed: of the network; None takes the first classifier.
        bins: of a histogram.
        only_detectors: those to show; None shows all.

    Raises:
        ValueError: there are no scores of the network.
    """
    entry = classifier or scores[0].entry
    shown = [cell for cell in scores if (cell.entry, cell.seed) == (entry, seed) and not cell.translator]
    shown = [cell for cell in shown if only_detectors is None or cell.detector in only_detectors]
    groups = grouped(sorted(shown, key=lambda cell: cell.detector), lambda cell: cell.detector)
    if not groups:
        raise ValueError(f"no scores of {entry}.{seed}")
    names = list(dict.fromkeys(place(cell) for cell in shown if place(cell) != id_examples))
    figure, panels = drawing.panels(len(groups), columns=3, height=2.2)
    for axes, (detector, cells) in zip(panels, groups.items(), strict=True):
        own = only((cell for cell in cells if place(cell) == id_examples), f"{detector} on {id_examples}")
        ends = np.array([np.quantile(cell.noun.scores, [0.01, 0.99]) for cell in cells])
        edges = np.histogram_bin_edges(ends, bins)
        for cell in [own, *(cell for cell in cells if cell is not own)]:
            counts = np.histogram(cell.noun.scores.clip(edges[0], edges[-1]), edges)[0] / len(cell.noun.scores)
            if cell is own:
                axes.stairs(counts, edges, label=CLEAN, fill=True, color=palette.IN_DISTRIBUTION, alpha=0.5)
            else:
                look = palette.population(names.index(place(cell)))
                axes.stairs(counts, edges, label=set_name(place(cell), id_examples), linewidth=1.3, **look)
        for rate, threshold in sorted(own.settings.get("thresholds", {}).items()):
            axes.axvline(threshold, color=drawing.INK, linewidth=0.9, linestyle=(0, (4, 3)))
            label = f" {float(rate):.0%} FPR"
            axes.annotate(label, (threshold, 1), xycoords=("data", "axes fraction"), fontsize=7, va="top")
        axes.set(title=detector, xlabel="score", ylim=(0, axes.get_ylim()[1] * 1.12))
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4)
    figure.supylabel("share of the set", fontsize=9)
    figure.suptitle(f"{entry}, seed {seed}; higher scores are more anomalous", fontsize=9, ha="left", x=0.01)
    text = f"Histograms of the scores of {', '.join(groups)} on {entry}, seed {seed}: clean images filled,"
    return drawing.described(figure, f"{text} beside them {', '.join(set_name(name, id_examples) for name in names)}.")
