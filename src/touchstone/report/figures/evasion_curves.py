"""Figure: how large a perturbation must be to evade a network and its detector."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from touchstone.contracts import UnitInterval
from touchstone.records.metric_rows import ADAPTIVE
from touchstone.records.metric_tables import MetricRow
from touchstone.report import drawing, palette
from touchstone.report.figures._curves import Curve, draw, means_first
from touchstone.report.figures._words import attack_name

NETWORK, OBLIVIOUS, BOTH = "network alone", "attacker who knows the network", "attacker who knows both"
LINES = {NETWORK: ("vermilion", "--", "s"), OBLIVIOUS: ("sky blue", ":", "^"), BOTH: ("blue", "-", "o")}


def evasion_curves(
    metrics: list[MetricRow], *, classifier: str | None = None, false_positive_rate: UnitInterval = 0.05
) -> Figure:
    """Return one panel per detector: the share of inputs misclassified and not flagged, over eps, in 95 % intervals.

    Three lines: an adaptive attacker, an oblivious one and, for comparison, how often the oblivious one fools the network
    without a detector. At equal eps the most successful attack.

    Args:
        metrics: rows of an evasion evaluation, with means over seeds if there are several.
        classifier: the one to show; None shows the first.
        false_positive_rate: of the detectors, on calibration images.

    Raises:
        ValueError: no adaptive row has an eps.
    """
    metric = f"evasion_rate_at_{false_positive_rate:g}"
    rows = [row for row in metrics if row.threat.eps is not None and row.detector]
    entry = classifier or next((row.classifier for row in rows), "")
    curves = _curves((row for row in rows if row.classifier == entry), metric)
    if not curves:
        raise ValueError("no adaptive attack with an eps, so there is no curve to draw")
    figure, panels = drawing.panels(len(curves), columns=3, height=2.7, sharey=True)
    for axes, (detector, lines) in zip(panels, curves.items(), strict=True):
        for name, (colour, style, marker) in LINES.items():
            if name in lines:
                look: dict[str, Any] = {"color": palette.COLOURS[colour], "linestyle": style, "marker": marker}
                attack = attack_name([row.threat for row in lines[name].values()])
                draw(axes, lines[name], f"{name}:\n{attack}", look, alpha=0.15)
        axes.set(title=detector, xlabel="eps (pixels, from 0 to 1)")
        axes.set(ylim=(-0.02, 1.02), xlim=(0, None))
        axes.yaxis.set_major_formatter(PercentFormatter(1))
    figure.supylabel("misclassified and not flagged", fontsize=9)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    title = f"{entry}, detectors at {false_positive_rate:.0%} false alarms on calibration images"
    figure.suptitle(title, fontsize=9, ha="left", x=0.01)
    shares = "; ".join(f"{detector}: {_words(lines)}" for detector, lines in curves.items())
    return drawing.described(figure, f"Share of inputs that get past {entry} and its detector, over eps. {shares}.")


def _curves(rows: Iterable[MetricRow], metric: str) -> dict[str, dict[str, Curve]]:
    """Return {detector: {line: curve}} of the detectors that were attacked adaptively."""
    curves: dict[str, dict[str, Curve]] = {}
    for row in means_first(rows):
        line, eps = _line(row, metric), row.threat.eps
        if line and eps is not None:
            curve = curves.setdefault(row.detector, {}).setdefault(line, {})
            before = curve.get(eps)
            if before is None or (row.seed == before.seed and row.value > before.value):
                curve[eps] = row
    return {name: lines for name, lines in curves.items() if BOTH in lines}


def _line(row: MetricRow, metric: str) -> str:
    """Return which line a row is a point of; "" for none."""
    adaptive = row.threat.knowledge == ADAPTIVE
    if row.measured == metric:
        return BOTH if adaptive else OBLIVIOUS
    return NETWORK if row.measured == "wrong_rate" and not adaptive else ""


def _words(lines: dict[str, Curve]) -> str:
    parts = (f"{name} {lines[name][max(lines[name])].value:.0%} at eps {max(lines[name]):g}" for name in lines)
    return ", ".join(parts)
