"""Figure: how far off is the robust accuracy of a whole set if it is estimated by attacking a part of it?"""

from __future__ import annotations

from matplotlib.figure import Figure

from touchstone.figures._curves import error_bars, means_first
from touchstone.records.metric_tables import MetricRow
from touchstone.report import drawing, marks, palette
from touchstone.statistics.threats import seedless

ESTIMATES = {
    "absolute_error": "threshold that matches the subset",
    "absolute_error_grid": "threshold of the paper's code, one of eight",
    "absolute_error_caught_95": "threshold that catches 95 % of its brittle",
    "absolute_error_sample": "the subset alone, no logit margins",
}


def subset_errors(metrics: list[MetricRow]) -> Figure:
    """Return one panel per classifier and set: mean absolute error against the size of the subset, per estimate.

    Bars are 95 % intervals of the mean, over random subsets and, with several seeds, over networks too.

    Args:
        metrics: rows of a subset_robustness evaluation.

    Raises:
        ValueError: there are no such rows.
    """
    curves: dict[tuple[str, str], dict[str, dict[int, MetricRow]]] = {}
    for row in means_first(metrics):
        estimate, _, count = row.measured.rpartition("_of_")
        if estimate in ESTIMATES:
            panel = curves.setdefault((row.entry, seedless(row.examples)), {})
            panel.setdefault(estimate, {}).setdefault(int(count), row)
    if not curves:
        raise ValueError("no errors of subsets: the evaluation has to use subset_robustness")
    figure, panels = drawing.panels(len(curves), columns=2, height=2.9, sharey=True)
    best = []
    for axes, ((entry, examples), lines) in zip(panels, curves.items(), strict=True):
        for place, (name, label) in enumerate(ESTIMATES.items()):
            rows = dict(sorted(lines.get(name, {}).items()))
            values = [100 * row.value for row in rows.values()]
            ends = error_bars(rows.values(), scale=100)
            look = palette.population(place)
            drawn = axes.errorbar(list(rows), values, yerr=ends, label=label, capsize=2, marker="o", **look)
            marks.shows(drawn.lines[0], *rows.values())
        axes.set(title=entry, xlabel="inputs attacked", ylabel="absolute error (points)")
        errors = lines["absolute_error"]
        size = max(errors)
        best.append(f"{100 * errors[size].value:.1f} points for {entry} from {size} inputs of {examples}")
    panels[0].set_ylim(bottom=0)  # shared, so only once all are drawn
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=1, fontsize=8)
    return drawing.described(figure, f"Error of the robust accuracy estimated from a subset: {'; '.join(best)}.")
