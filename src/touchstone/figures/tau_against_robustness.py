"""Figure: does the logit margin rank inputs by their distance to the boundary if the network is robust?"""

from __future__ import annotations

import math

from matplotlib.figure import Figure

from touchstone.contracts import PositiveFloat
from touchstone.figures._curves import error_bars, label_ends, means_first
from touchstone.records.metric_tables import MetricRow
from touchstone.report import drawing, marks, palette

NEAR = 0.12  # points of one cluster, in shares of both axes: their names are beside the cluster


def tau_against_robustness(metrics: list[MetricRow], *, eps: PositiveFloat = 0.1, norm: str = "linf") -> Figure:
    """Return one point per classifier: Kendall's tau of input and logit margin against robust accuracy at `eps`.

    Bars are 95 % intervals. Robust accuracy is computed from the margins that were found, so it is an upper bound.

    Args:
        metrics: rows of a margins evaluation.
        eps: of the robust accuracy, in pixels.
        norm: of the margins.

    Raises:
        ValueError: no classifier has both.
    """
    wanted = {"kendall_tau": "tau", f"robust_accuracy_at_{eps:g}": "robust"}
    points: dict[str, dict[str, MetricRow]] = {}
    for row in means_first(metrics):
        name = wanted.get(row.measured)
        if name and row.examples.endswith(f"/{norm}"):
            points.setdefault(row.entry, {}).setdefault(name, row)
    whole = {entry: rows for entry, rows in points.items() if len(rows) == len(wanted)}
    if not whole:
        raise ValueError(f"no classifier with both tau and robust accuracy at eps {eps:g}")
    figure, (axes,) = drawing.panels(1, height=4.0)
    figure.set_figwidth(drawing.WIDTH)
    order = sorted(whole, key=lambda entry: whole[entry]["robust"].value)
    for entry in order:
        rows, look = whole[entry], palette.line(entry, whole)
        across, up = (error_bars([rows[name]]) for name in ("robust", "tau"))
        drawn = axes.errorbar(
            rows["robust"].value, rows["tau"].value, xerr=across, yerr=up, color=look["color"],
            marker=look["marker"], linestyle="none", markersize=6, capsize=2, elinewidth=0.7, alpha=0.85, label=entry,
        )  # fmt: skip
        marks.shows(drawn.lines[0], rows["tau"])
    axes.set(xlabel=f"robust accuracy at {norm} eps {eps:g} (share)", ylabel="Kendall's tau of input and logit margin")
    axes.set(xlim=(-0.03, 1.03), ylim=(min(0, *axes.get_ylim()), 1.02))
    for cluster in _clusters({entry: (rows["robust"].value, rows["tau"].value) for entry, rows in whole.items()}):
        edge = max(robust for robust, _ in cluster.values())
        label_ends(axes, {entry: (edge, tau) for entry, (_, tau) in cluster.items()}, whole, 0.045)
    best = max(whole, key=lambda entry: whole[entry]["tau"].value)
    axes.set_title(
        f"The logit margin ranks best in {best}: tau {whole[best]['tau'].value:.2f}", fontweight="bold", fontsize=10
    )
    taus = "; ".join(f"{entry} {rows['tau'].value:.2f} at {rows['robust'].value:.0%}" for entry, rows in whole.items())
    return drawing.described(figure, f"Kendall's tau against robust accuracy, per classifier: {taus}.")


def _clusters(points: dict[str, tuple[float, float]]) -> list[dict[str, tuple[float, float]]]:
    """Return the points in groups: each is near another one of its group."""
    clusters: list[dict[str, tuple[float, float]]] = []
    for name, point in sorted(points.items(), key=lambda item: item[1]):
        near = [one for one in clusters if any(math.dist(point, other) < NEAR for other in one.values())]
        joined = {name: point} | {key: value for one in near for key, value in one.items()}
        clusters = [one for one in clusters if one not in near] + [joined]
    return clusters
