"""Figure: how many anomalous inputs each detector catches at each rate of false alarms."""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from touchstone.contracts import NonNegativeInt, PositiveInt
from touchstone.evaluations.statistics.estimators import auroc
from touchstone.evaluations.statistics.rows import grouped, only, place
from touchstone.records.nouns import Cell
from touchstone.report import drawing, palette
from touchstone.report.figures._roc_lines import roc_line


def roc_curves(
    scores: list[Cell],
    *,
    id_examples: str,
    classifier: str | None = None,
    seed: NonNegativeInt = 0,
    resamples: PositiveInt = 200,
    only_detectors: list[str] | None = None,
) -> Figure:
    """Return one panel per anomalous set, one line per detector in its 95 % band, AUROCs in the legend.

    Args:
        scores: of each detector on `id_examples`, which are in distribution, and on other or attacked sets.
        id_examples: the in-distribution set.
        classifier, seed: of the network; None takes the first classifier.
        resamples: bootstrap samples of a band.
        only_detectors: those to show, at most six of which can be distinguished; None shows all.

    Raises:
        ValueError: there are no scores on `id_examples` and another set.
    """
    entry = classifier or scores[0].entry
    shown = [cell for cell in scores if (cell.entry, cell.seed) == (entry, seed) and not cell.translator]
    shown = [cell for cell in shown if only_detectors is None or cell.detector in only_detectors]
    groups = grouped(shown, place)
    id_cells = groups.pop(id_examples, [])
    if not id_cells or not groups:
        raise ValueError(f"no scores of {entry}.{seed} on {id_examples} and another set")
    detectors = sorted({cell.detector for cell in shown})
    figure, panels = drawing.panels(len(groups), columns=3, height=3.1)
    handles: dict[str, Line2D] = {}
    best = {}
    for axes, (name, cells) in zip(panels, groups.items(), strict=True):
        areas: dict[str, float] = {}
        for cell in sorted(cells, key=lambda cell: cell.detector):
            own = only((c for c in id_cells if c.detector == cell.detector), f"{cell.detector} on {id_examples}")
            populations = own.noun.scores, cell.noun.scores
            areas[cell.detector] = auroc(*populations)
            look = palette.line(cell.detector, detectors) | {"marker": ""}
            label = f"{areas[cell.detector]:.3f}"
            handles[cell.detector] = roc_line(axes, *populations, label=label, look=look, resamples=resamples)
        drawing.roc_axes(axes, name)
        best[name] = max(areas, key=lambda detector: areas[detector])
    figure.supxlabel("ID inputs flagged (share)", fontsize=9)
    figure.supylabel("anomalous inputs caught (share)", fontsize=9)
    figure.suptitle(f"{entry}, seed {seed}", fontsize=9, ha="left", x=0.01)
    names = sorted(handles)
    figure.legend([handles[name] for name in names], names, loc="outside upper right", ncols=min(4, len(names)))
    largest = "; ".join(f"on {name} the largest area is that of {detector}" for name, detector in best.items())
    return drawing.described(figure, f"ROC curves of {len(detectors)} detectors on {entry}, seed {seed}: {largest}.")
