"""Figure: which number of a single forward pass best ranks inputs by their distance to the boundary?"""

from __future__ import annotations

from matplotlib.figure import Figure

from touchstone.figures._curves import error_bars, means_first
from touchstone.records.metric_tables import MetricRow
from touchstone.report import drawing, marks, palette

NAMES = {
    "kendall_tau": "logit margin",
    "kendall_tau_features": "exact feature margin",
    "kendall_tau_probability_margin": "probability margin",
    "kendall_tau_max_probability": "max probability",
    "kendall_tau_max_logit": "max logit",
    "kendall_tau_entropy": "minus entropy",
    "kendall_tau_energy": "minus energy",
    "kendall_tau_gini": "minus Gini",
}


def margin_proxies(metrics: list[MetricRow], *, norm: str = "linf") -> Figure:
    """Return Kendall's tau of the input margin and each proxy for it, one mark per classifier.

    Bars are 95 % intervals. Signs are fixed: a proxy whose tau is below 0 ranks inputs the wrong way round.

    Args:
        metrics: rows of a margins evaluation.
        norm: of the margins.

    Raises:
        ValueError: no row is about a proxy.
    """
    rows: dict[str, dict[str, MetricRow]] = {}
    for row in means_first(metrics):
        if row.measured in NAMES and row.examples.endswith(f"/{norm}"):
            rows.setdefault(row.entry, {}).setdefault(row.measured, row)
    if not rows:
        raise ValueError("no tau of any stand-in: the evaluation has to use margins")
    shown = [name for name in NAMES if any(name in own for own in rows.values())]
    figure, (axes,) = drawing.panels(1, height=0.5 + 0.42 * len(shown))
    step = 0.7 / len(rows)
    handles = []
    for place, (entry, own) in enumerate(rows.items()):
        look = palette.line(entry, rows)
        names = [name for name in shown if name in own]
        values = [own[name].value for name in names]
        ends = error_bars(own[name] for name in names)
        heights = [shown.index(name) + (place - (len(rows) - 1) / 2) * step for name in names]
        drawn = axes.errorbar(
            values, heights, xerr=ends, color=look["color"], marker=look["marker"], linestyle="none", capsize=2,
            elinewidth=0.9, label=entry,
        )  # fmt: skip
        marks.shows(drawn.lines[0], *(own[name] for name in names))
        handles.append(drawn.lines[0])
    axes.set_yticks(range(len(shown)), [NAMES[name] for name in shown])
    axes.invert_yaxis()
    axes.set(title="Stand-ins for the input margin", xlabel=f"Kendall's tau with the {norm} margin", ylabel="stand-in")
    figure.legend(handles, list(rows), loc="outside right upper")
    best = "; ".join(
        f"{entry} best by {NAMES[name]} ({own[name].value:.2f})"
        for entry, own in rows.items()
        for name in [max(own, key=lambda name: own[name].value)]
    )
    return drawing.described(figure, f"Kendall's tau of the input margin and each stand-in: {best}.")
