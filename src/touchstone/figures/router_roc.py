"""Figure: how many attacked inputs each router translates at each share of clean ones, and at its threshold."""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from touchstone.contracts import NonNegativeInt, PositiveInt
from touchstone.figures._roc_lines import roc_line
from touchstone.records.nouns import Cell
from touchstone.report import drawing, palette
from touchstone.statistics.estimators import auroc
from touchstone.statistics.rows import clean_outputs, grouped, only, place
from touchstone.statistics.threats import network


def router_roc(
    outputs: list[Cell], detectors: list[Cell], *, seed: NonNegativeInt = 0, resamples: PositiveInt = 200
) -> Figure:
    """Return one panel per attack, one line per routed defence in its 95 % band, and a mark where its threshold is.

    Only inputs made on other networks are drawn, because an attacker of the defence itself chooses the score. The mark is
    at the shares of clean and of attacked inputs above the deployed threshold, which was set on other clean inputs.

    Args:
        outputs: of defences on clean and on attacked inputs.
        detectors: the routers.
        seed: the one to show.
        resamples: bootstrap samples of a band.

    Raises:
        ValueError: no defence with a router was attacked, or its router is missing.
    """
    routed = [cell for cell in outputs if cell.seed == seed and "routing_score" in cell.noun.features]
    attacked = [cell for cell in routed if cell.attack and cell.victim != network(cell)]
    if not attacked:
        raise ValueError(f"no scores of a router, seed {seed}, on inputs that were made to fool another network")
    entries = sorted({cell.entry for cell in attacked})
    groups = grouped(attacked, place)
    figure, panels = drawing.panels(len(groups), columns=2, height=3.7)
    handles: dict[str, Line2D] = {}
    best = []
    for axes, (name, cells) in zip(panels, groups.items(), strict=True):
        areas: dict[str, float] = {}
        for cell in sorted(cells, key=lambda cell: cell.entry):
            clean = clean_outputs([other for other in routed if network(other) == network(cell)], cell)
            scores = tuple(one.noun.features["routing_score"].astype(float) for one in (clean, cell))
            areas[cell.entry] = auroc(*scores)
            look = palette.line(cell.entry, entries)
            label = f"{areas[cell.entry]:.3f}"
            roc_line(axes, *scores, label=label, look=look | {"marker": ""}, resamples=resamples)
            own = (detector for detector in detectors if network(detector) == network(cell))
            router = only(own, f"the router of {cell.entry}")
            threshold = router.noun.thresholds[f"{router.settings['false_positive_rate']:g}"]
            at = [[float((values > threshold).mean())] for values in scores]
            axes.plot(*at, **look | {"markersize": 7, "markeredgecolor": drawing.INK, "linestyle": ""})
            handles[f"{cell.entry} ({router.detector})"] = Line2D([], [], **look)
        drawing.roc_axes(axes, name)
        entry = max(areas, key=lambda entry: areas[entry])
        best.append(f"on {name} the largest area is that of {entry}, {areas[entry]:.3f}")
    figure.supxlabel("clean inputs translated (share)", fontsize=9)
    figure.supylabel("attacked inputs translated (share)", fontsize=9)
    figure.legend(handles.values(), list(handles), loc="outside upper right", ncols=2, title="mark: deployed threshold")
    return drawing.described(figure, f"ROC curves of {len(entries)} routers, seed {seed}: {'; '.join(best)}.")
