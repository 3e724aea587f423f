"""Figure: how well a detector separates OOD from ID inputs as an attacker of both gets a larger budget."""

from __future__ import annotations

from collections import defaultdict

from matplotlib.figure import Figure

from touchstone.figures._curves import Curve, draw, means_first
from touchstone.records.metric_rows import ADAPTIVE
from touchstone.records.metric_tables import MetricRow
from touchstone.report import drawing, palette

CHANCE = 0.5


def auroc_against_eps(metrics: list[MetricRow], *, detector: str | None = None) -> Figure:
    """Return AUROC over eps with both sides attacked adaptively: a panel per OOD set and for their mean.

    One line per classifier, from clean at eps 0. Bands are 95 % intervals. The dotted line is chance.

    Args:
        metrics: rows of an attacked_detection evaluation.
        detector: the one to show; None shows the first.

    Raises:
        ValueError: the detector has no such row.
    """
    shown = detector or next((row.detector for row in metrics if row.detector), "")
    curves = _curves(metrics, shown)
    if not curves:
        raise ValueError(f"no auroc_both row of {shown or 'any detector'}, so there is no curve to draw")
    figure, panels = drawing.panels(len(curves), columns=3, height=2.3, sharex=True, sharey=True)
    entries = list(dict.fromkeys(entry for lines in curves.values() for entry in lines))
    for axes, (name, lines) in zip(panels, curves.items(), strict=True):
        for entry, curve in lines.items():
            draw(axes, curve, entry, palette.line(entry, entries), alpha=0.16)
        axes.axhline(CHANCE, color=drawing.FAINT, linewidth=0.9, linestyle=":")
        axes.set(title=name.replace("_", " "), ylim=(-0.03, 1.03))
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=5)
    figure.supxlabel("eps (pixels, from 0 to 1)", fontsize=9)
    figure.supylabel(f"AUROC of {shown}", fontsize=9)
    return drawing.described(figure, _words(shown, curves))


def _curves(rows: list[MetricRow], detector: str) -> dict[str, dict[str, Curve]]:
    """Return {OOD set: {classifier: curve}}, of means over seeds if there are any."""
    curves: dict[str, dict[str, Curve]] = defaultdict(lambda: defaultdict(dict))
    for row in means_first(row for row in rows if row.detector == detector):
        eps = row.threat.eps
        if row.measured == "auroc_clean":
            curves[row.examples][row.classifier].setdefault(0.0, row)
        elif row.measured == "auroc_both" and eps is not None and row.threat.knowledge == ADAPTIVE:
            curves[row.dataset][row.classifier].setdefault(eps, row)
    return dict(curves)


def _words(detector: str, curves: dict[str, dict[str, Curve]]) -> str:
    parts = [
        f"{entry} from {curve[min(curve)].value:.2f} at eps {min(curve):g} to {curve[max(curve)].value:.2f} at eps"
        f" {max(curve):g} ({name})"
        for name, lines in curves.items()
        for entry, curve in lines.items()
    ]
    return f"AUROC of {detector} against eps, ID and OOD inputs both attacked. {'; '.join(parts)}."
