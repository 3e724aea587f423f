"""Figure: how far off is the robust accuracy of a whole set, estimated from attacking a part of it?"""

from __future__ import annotations

import re

from matplotlib.figure import Figure

from touchstone.records.metric_rows import MetricRow
from touchstone.report import drawing, palette
from touchstone.statistics.threats import seedless

ESTIMATES = {
    "absolute_error": "threshold that matches the subset",
    "absolute_error_caught_95": "threshold that catches 95 % of its brittle",
    "absolute_error_sample": "the subset alone, no logit margins",
}


def subset_errors(metrics: list[MetricRow]) -> Figure:
    """Return one panel per classifier and set: mean absolute error against the size of the subset, per estimate.

    metrics: of the evaluation subset_robustness. Bars reach from the least to the greatest seed, of a single network
    over the 95 % interval of the mean over subsets. ValueError where there are no such rows.
    """
    curves: dict[tuple[str, str], dict[str, dict[int, MetricRow]]] = {}
    for row in sorted(metrics, key=lambda row: row.seed is not None):  # means over seeds go before single ones
        found = re.fullmatch(r"(absolute_error\w*?)_of_(\d+)", row.measured)
        if found and found[1] in ESTIMATES:
            panel = curves.setdefault((row.entry, seedless(row.examples)), {})
            panel.setdefault(found[1], {}).setdefault(int(found[2]), row)
    if not curves:
        raise ValueError("no errors of subsets: the evaluation has to use subset_robustness")
    figure, panels = drawing.panels(len(curves), columns=2, height=2.9, sharey=True)
    told = []
    for axes, ((entry, examples), lines) in zip(panels, curves.items(), strict=True):
        for place, (name, label) in enumerate(ESTIMATES.items()):
            rows = dict(sorted(lines.get(name, {}).items()))
            values = [100 * row.value for row in rows.values()]
            ends = [
                [abs(100 * row[end] - value) for row, value in zip(rows.values(), values, strict=True)]
                for end in ("low", "high")
            ]
            look = palette.population(place)
            axes.errorbar(list(rows), values, yerr=ends, label=label, capsize=2, marker="o", **look)
        axes.set(title=entry, xlabel="inputs attacked", ylabel="absolute error (points)")
        best = lines["absolute_error"]
        size = max(best)
        told.append(f"{100 * best[size]['value']:.1f} points for {entry} from {size} inputs of {examples}")
    panels[0].set_ylim(bottom=0)  # shared, so only once all are drawn
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=1, fontsize=8)
    return drawing.described(figure, f"Error of the robust accuracy estimated from a subset: {'; '.join(told)}.")
