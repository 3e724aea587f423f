"""Figure: does a small logit margin mean that the decision boundary is near?"""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from touchstone import drawing, palette
from touchstone.contracts import NonNegativeInt
from touchstone.evaluation import correct, kendall_tau, logit_margins
from touchstone.metric_rows import clean_outputs, rows_of
from touchstone.records import Cell
from touchstone.threats import network

MANY = 2000  # points above which a vector file would be megabytes


def margin_scatter(margins: list[Cell], outputs: list[Cell], *, seed: NonNegativeInt = 0) -> Figure:
    """Return one panel per classifier, set and method: input margin against logit margin, one point per input.

    margins: input margins; those not found stand at the right edge. outputs: of the same classifiers on the same
    unattacked sets. Filled points are classified right. Kendall's tau-b, margins not found ranked last, is in the
    title. seed: the one to show. ValueError where it has no margins.
    """
    shown = [cell for cell in margins if cell.seed == seed]
    if not shown:
        raise ValueError(f"no margins of seed {seed}")
    figure, panels = drawing.panels(len(shown), columns=2, height=2.9)
    found = []
    for axes, cell in zip(panels, shown, strict=True):
        clean = clean_outputs(outputs, cell)
        same = rows_of(clean.noun.example_ids, cell.noun.example_ids, clean.file)
        inputs, logits = cell.noun.margins.astype(np.float64), logit_margins(clean.noun.logits[same])
        right = correct(cell.noun.predictions, cell.noun.labels)
        tau = kendall_tau(inputs, logits)
        edge = 1.08 * max(inputs[cell.noun.found], default=1.0)
        look = palette.line(cell.entry, {c.entry for c in shown})
        for rows, face, label in ((right, look["color"], "right"), (~right, "none", "wrong")):
            axes.scatter(
                np.minimum(inputs, edge)[rows], logits[rows], s=11, marker=look["marker"], facecolors=face,
                edgecolors=look["color"], linewidths=0.7, alpha=0.7, label=label,
                rasterized=len(inputs) > MANY,
            )  # fmt: skip
        if not cell.noun.found.all():
            axes.axvline(edge, color=drawing.FAINT, linewidth=0.8)
            axes.annotate(
                "not found", (edge, 1), xycoords=("data", "axes fraction"), ha="right", va="bottom", fontsize=7
            )
        axes.set(xlabel="input margin (pixels)", ylabel="logit margin", xlim=(0, edge * 1.03))
        axes.set_title(f"{network(cell)}, {cell.examples}: tau = {tau:.2f}")
        axes.legend(title="classified", loc="upper left")
        found.append(f"Kendall's tau {tau:.2f} for {network(cell)}")
    return drawing.described(figure, f"Input margin against logit margin, one point per input: {'; '.join(found)}.")
