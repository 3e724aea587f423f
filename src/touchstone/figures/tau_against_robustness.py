"""Figure: does the logit margin rank inputs by their distance to the boundary if the network is robust?"""

from __future__ import annotations

from matplotlib.figure import Figure

from touchstone.contracts import PositiveFloat
from touchstone.figures._curves import error_bars, means_first
from touchstone.records.metric_tables import MetricRow
from touchstone.report import drawing, palette


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
    marks = {}
    for entry, rows in sorted(whole.items(), key=lambda item: item[1]["robust"].value):
        look = palette.line(entry, whole)
        across, up = (error_bars([rows[name]]) for name in ("robust", "tau"))
        drawn = axes.errorbar(
            rows["robust"].value, rows["tau"].value, xerr=across, yerr=up, color=look["color"],
            marker=look["marker"], linestyle="none", markersize=6, capsize=2, elinewidth=0.9, label=entry,
        )  # fmt: skip
        marks[entry] = drawn.lines[0]  # without its bars, which would hide the shapes in the legend
    axes.set(xlabel=f"robust accuracy at {norm} eps {eps:g} (share)", ylabel="Kendall's tau of input and logit margin")
    axes.set(title=f"{len(whole)} classifiers", xlim=(-0.03, 1.03), ylim=(min(0, *axes.get_ylim()), 1.02))
    figure.legend(list(marks.values()), list(marks), loc="outside right upper")
    taus = "; ".join(f"{entry} {rows['tau'].value:.2f} at {rows['robust'].value:.0%}" for entry, rows in whole.items())
    return drawing.described(figure, f"Kendall's tau against robust accuracy, per classifier: {taus}.")
