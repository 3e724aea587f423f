"""Figure: how large a perturbation must be to get past a network and its detector."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from touchstone.contracts import UnitInterval
from touchstone.report import drawing, palette
from touchstone.statistics.rows import Row, measured
from touchstone.statistics.threats import read

LINES = {
    "network alone": ("vermilion", "--", "s"),
    "attacker who knows the network": ("sky blue", ":", "^"),
    "attacker who knows both": ("blue", "-", "o"),
}


def evasion_curves(
    metrics: list[dict[str, Any]], *, classifier: str | None = None, false_positive_rate: UnitInterval = 0.05
) -> Figure:
    """Return one panel per detector: the share of inputs misclassified and not flagged, over eps, in 95 % intervals.

    metrics: rows of an evasion evaluation, means over seeds where there are several. Three lines: an adaptive attacker,
    an oblivious one, and, as the bar to be measured against, how often the oblivious one fools the network without a
    detector. At equal eps the attack that gets furthest. classifier: the one to show; None shows the first.
    ValueError where no adaptive row has an eps.
    """
    metric = f"evasion_rate_at_{false_positive_rate:g}"
    rows = [row for row in metrics if read(row["threat"]).eps is not None and "+" in row["entry"]]
    entry = classifier or next((row["entry"].split("+")[0] for row in rows), "")
    curves: dict[str, dict[str, dict[float, Row]]] = {}
    for row in sorted(rows, key=lambda row: row["seed"] is not None):
        net, _, detector = row["entry"].partition("+")
        line = _line(row, metric)
        if net == entry and line:
            curve = curves.setdefault(detector, {}).setdefault(line, {})
            eps = read(row["threat"]).eps
            assert eps is not None
            before = curve.get(eps)
            if before is None or (row["seed"] == before["seed"] and row["value"] > before["value"]):
                curve[eps] = row
    curves = {name: lines for name, lines in curves.items() if "attacker who knows both" in lines}
    if not curves:
        raise ValueError("no adaptive attack with an eps, so there is no curve to draw")
    figure, panels = drawing.panels(len(curves), columns=3, height=2.7, sharey=True)
    for axes, (detector, lines) in zip(panels, curves.items(), strict=True):
        for name, (colour, style, marker) in LINES.items():
            if name in lines:
                places = sorted(lines[name])
                own = [lines[name][eps] for eps in places]
                look: dict[str, Any] = {"color": palette.COLOURS[colour], "linestyle": style, "marker": marker}
                axes.plot(places, [row["value"] for row in own], label=name, **look)
                low, high = ([row[end] for row in own] for end in ("low", "high"))
                axes.fill_between(places, low, high, color=look["color"], alpha=0.15, linewidth=0)
        axes.set(title=detector, xlabel="eps (pixels, from 0 to 1)")
        axes.set(ylim=(-0.02, 1.02), xlim=(0, None))
        axes.yaxis.set_major_formatter(PercentFormatter(1))
    figure.supylabel("misclassified and not flagged", fontsize=9)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    title = f"{entry}, detectors at {false_positive_rate:.0%} false alarms on calibration images"
    figure.suptitle(title, fontsize=9, ha="left", x=0.01)
    told = "; ".join(f"{detector}: {_words(lines)}" for detector, lines in curves.items())
    return drawing.described(figure, f"Share of inputs that get past {entry} and its detector, over eps. {told}.")


def _line(row: Row, metric: str) -> str:
    """Return which line a row is a point of; "" for none."""
    adaptive = read(row["threat"]).knows.startswith("white-box adaptive")
    if measured(row["metric"]) == metric:
        return "attacker who knows both" if adaptive else "attacker who knows the network"
    return "network alone" if measured(row["metric"]) == "wrong_rate" and not adaptive else ""


def _words(lines: dict[str, dict[float, Row]]) -> str:
    parts = (f"{name} {lines[name][max(lines[name])]['value']:.0%} at eps {max(lines[name]):g}" for name in lines)
    return ", ".join(parts)
