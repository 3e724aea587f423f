"""Figure: how accuracy falls as attacks get a larger budget."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from touchstone.report import drawing, palette
from touchstone.statistics.rows import Row, measured
from touchstone.statistics.threats import read

CROWD = 5
Curve = dict[float, Row]  # eps -> the row that says how accurate


def accuracy_against_eps(metrics: list[dict[str, Any]], *, examples: str | None = None) -> Figure:
    """Return one panel per set and attack, one line per classifier: accuracy over eps, from clean at eps 0.

    metrics: rows of a robustness evaluation. Attacks of one component are one line: at equal eps the one that leaves
    least; those with a single eps are left out if another has several. Bands: least to greatest over seeds, or the
    95 % interval of a single seed.
    examples: the clean set to show; None shows all. ValueError where no row has an eps.
    """
    curves = _curves([row for row in metrics if examples is None or row["examples"].split("/")[0] == examples])
    if not curves:
        raise ValueError("no robust_accuracy row with an eps, so there is no curve to draw")
    longest = max(len(curve) for lines in curves.values() for curve in lines.values())
    curves = {panel: lines for panel, lines in curves.items() if longest < 3 or max(map(len, lines.values())) > 2}
    figure, panels = drawing.panels(len(curves), columns=2, height=2.9, sharey=True)
    entries = {entry for lines in curves.values() for entry in lines}
    for axes, ((name, attack), lines) in zip(panels, curves.items(), strict=True):
        for entry, curve in lines.items():
            _draw(axes, entry, curve, palette.line(entry, entries))
        axes.set(title=f"{name}: {attack}", xlabel="eps (pixels, from 0 to 1)", ylabel="accuracy", ylim=(-0.02, 1.02))
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        if len(entries) <= CROWD:
            axes.legend()
    if len(entries) > CROWD:  # too many lines for a legend among them
        named = {text: line for axes in panels for line, text in zip(*axes.get_legend_handles_labels(), strict=True)}
        figure.legend(named.values(), named.keys(), loc="outside lower center", ncols=5, handlelength=3)
    return drawing.described(figure, _words(curves))


def _curves(rows: list[Row]) -> dict[tuple[str, str], dict[str, Curve]]:
    """Return {(clean set, family of attacks): {classifier: curve}}; a mean over seeds goes before single seeds."""
    clean: dict[tuple[str, str], Row] = {}
    curves: dict[tuple[str, str], dict[str, Curve]] = defaultdict(lambda: defaultdict(dict))
    for row in sorted(rows, key=lambda row: row["seed"] is not None):
        if measured(row["metric"]) == "clean_accuracy" and "/" not in row["examples"]:
            clean.setdefault((row["entry"], row["examples"]), row)
    for row in sorted(rows, key=lambda row: row["seed"] is not None):
        threat = read(row["threat"])
        if measured(row["metric"]) == "robust_accuracy" and threat.eps is not None:
            name = row["examples"].split("/")[0]
            curve = curves[name, str(threat.family)][row["entry"]]
            before = curve.get(threat.eps)
            if before is None or (_is_mean(row) == _is_mean(before) and row["value"] < before["value"]):
                curve[threat.eps] = row
            if (row["entry"], name) in clean:
                curve.setdefault(0.0, clean[row["entry"], name])
    return curves


def _is_mean(row: Row) -> bool:
    return row["seed"] is None


def _draw(axes: Axes, entry: str, curve: Curve, line: dict[str, Any]) -> None:
    places = sorted(curve)
    rows = [curve[eps] for eps in places]
    axes.plot(places, [row["value"] for row in rows], label=entry, **line)
    axes.fill_between(
        places,
        [row["low"] for row in rows],
        [row["high"] for row in rows],
        color=line["color"],
        alpha=0.18,
        linewidth=0,
    )


def _words(curves: dict[tuple[str, str], dict[str, Curve]]) -> str:
    parts = [
        f"{entry} falls from {curve[min(curve)]['value']:.0%} at eps {min(curve):g} to"
        f" {curve[max(curve)]['value']:.0%} at eps {max(curve):g} ({attack}, {name})"
        for (name, attack), lines in curves.items()
        for entry, curve in lines.items()
    ]
    return "Accuracy against eps. " + "; ".join(parts) + "."
