"""Figure: how far a detector still tells OOD inputs from ID ones as an attacker of both gets a larger budget."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from touchstone.report import drawing, palette
from touchstone.statistics.rows import Row, measured
from touchstone.statistics.threats import read

CHANCE = 0.5
Curve = dict[float, Row]  # eps -> the row that says the AUROC


def auroc_against_eps(metrics: list[dict[str, Any]], *, detector: str | None = None) -> Figure:
    """Return one panel per OOD set, and one for their mean, with one line per classifier: AUROC over eps, both sides
    attacked adaptively, from clean at eps 0.

    metrics: rows of an attacked_detection evaluation. Bands: least to greatest over seeds, or the 95 % interval of a
    single seed. detector: the one to show; None shows the first. The dotted line is what a coin would get. ValueError
    where there is no such row.
    """
    shown = next((row["entry"].split("+")[1] for row in metrics if "+" in row["entry"]), "")
    curves = _curves(metrics, detector or shown)
    if not curves:
        raise ValueError(f"no auroc_both row of {detector or 'any detector'}, so there is no curve to draw")
    figure, panels = drawing.panels(len(curves), columns=3, height=2.3, sharex=True, sharey=True)
    entries = list(dict.fromkeys(entry for lines in curves.values() for entry in lines))
    for axes, (name, lines) in zip(panels, curves.items(), strict=True):
        for entry, curve in lines.items():
            _draw(axes, entry, curve, palette.line(entry, entries))
        axes.axhline(CHANCE, color=drawing.FAINT, linewidth=0.9, linestyle=":")
        axes.set(title=name.replace("_", " "), ylim=(-0.03, 1.03))
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=5)
    figure.supxlabel("eps (pixels, from 0 to 1)", fontsize=9)
    figure.supylabel(f"AUROC of {detector or shown}", fontsize=9)
    return drawing.described(figure, _words(detector or shown, curves))


def _curves(rows: list[Row], detector: str) -> dict[str, dict[str, Curve]]:
    """Return {OOD set: {classifier: curve}}; a mean over seeds goes before single seeds."""
    curves: dict[str, dict[str, Curve]] = defaultdict(lambda: defaultdict(dict))
    for row in sorted(rows, key=lambda row: row["seed"] is not None):
        entry, _, own = row["entry"].partition("+")
        threat = read(row["threat"])
        if own != detector:
            continue
        if measured(row["metric"]) == "auroc_clean":
            curves[row["examples"]][entry].setdefault(0.0, row)
        elif measured(row["metric"]) == "auroc_both" and threat.eps is not None and "adaptive" in threat.knows:
            curves[row["examples"].split("/")[0]][entry].setdefault(threat.eps, row)
    return dict(curves)


def _draw(axes: Axes, entry: str, curve: Curve, line: dict[str, Any]) -> None:
    places = sorted(curve)
    rows = [curve[eps] for eps in places]
    axes.plot(places, [row["value"] for row in rows], label=entry, **line)
    low, high = ([row[end] for row in rows] for end in ("low", "high"))
    axes.fill_between(places, low, high, color=line["color"], alpha=0.16, linewidth=0)


def _words(detector: str, curves: dict[str, dict[str, Curve]]) -> str:
    parts = [
        f"{entry} from {curve[min(curve)]['value']:.2f} at eps {min(curve):g} to {curve[max(curve)]['value']:.2f} at eps"
        f" {max(curve):g} ({name})"
        for name, lines in curves.items()
        for entry, curve in lines.items()
    ]
    return f"AUROC of {detector} against eps, ID and OOD inputs both attacked. {'; '.join(parts)}."
