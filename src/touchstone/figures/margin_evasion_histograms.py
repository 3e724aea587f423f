"""Figure: how safe do brittle inputs look, unattacked and under attack, to who trusts the logit margin?"""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from touchstone.contracts import NonNegativeInt, PositiveFloat
from touchstone.records.metric_rows import MetricRow
from touchstone.records.nouns import Cell
from touchstone.report import drawing, palette
from touchstone.statistics.estimators import Array, correct, logit_margins
from touchstone.statistics.margin_cells import kept
from touchstone.statistics.rows import rows_of
from touchstone.statistics.threats import network, white_box


def margin_evasion_histograms(
    margins: list[Cell],
    outputs: list[Cell],
    metrics: list[MetricRow],
    *,
    eps: PositiveFloat = 0.1,
    seed: NonNegativeInt = 0,
) -> Figure:
    """Return one panel per classifier and set: the share of inputs whose logit margin lies above each value.

    Lines: brittle inputs (margin <= eps) and the others, unattacked, and per white-box attack the brittle inputs that
    are right unattacked and wrong under it. The upright line is the threshold of the evaluation margin_evasion, in
    whose metrics it stands: what is right of it is not flagged. seed: the one to show. ValueError where there is none.
    """
    groups = [found for found in kept(margins, outputs) if found.seed == seed and found.norm == "linf"]
    if not groups:
        raise ValueError(f"no margins of seed {seed}")
    figure, panels = drawing.panels(len(groups), columns=2, height=3.3)
    told = []
    for axes, found in zip(panels, groups, strict=True):
        brittle, logits = found.margins <= eps, logit_margins(found.logits)
        lines = {"brittle, unattacked": logits[brittle], "other inputs, unattacked": logits[~brittle]}
        own = (cell for cell in outputs if network(cell) == network(found.outputs) and cell.examples == found.examples)
        for cell in (cell for cell in own if white_box(cell)):
            same = rows_of(cell.noun.example_ids, found.ids, cell.file)
            wrong = ~correct(cell.noun.predictions, cell.noun.labels)[same] & brittle & found.right
            lines[f"brittle, wrong under {cell.attack}"] = logit_margins(cell.noun.logits[same[wrong]])
        for place, (name, values) in enumerate(lines.items()):
            if len(values):
                axes.step(
                    *_above(values), where="post", label=f"{name} (n = {len(values)})", **palette.population(place)
                )
        about = (found.entry, found.seed, found.examples, "threshold")
        for row in metrics:
            if (row.entry, row.seed, row.examples, row.metric) == about:
                axes.axvline(row.value, color=drawing.INK, linewidth=1.0)
                axes.annotate("threshold", (row.value, 1.0), xycoords=("data", "axes fraction"), fontsize=7.5)
                past = [
                    f"{(values > row['value']).mean():.1%} of {name}" for name, values in lines.items() if len(values)
                ]
                told.append(f"{network(found.outputs)}, above {row['value']:.2f}: {', '.join(past)}")
        axes.set(title="\n" + network(found.outputs), xlabel="logit margin", ylabel="share of inputs above it")
        axes.legend(fontsize=7.5, loc="upper center", bbox_to_anchor=(0.45, -0.24))
    words = "; ".join(told) or "no threshold is given"
    return drawing.described(figure, f"How many inputs have a logit margin above each value. {words}.")


def _above(values: Array) -> tuple[Array, Array]:
    """Return the values, ascending, and the share of them that lies above each."""
    ordered = np.sort(values)
    return np.r_[0.0, ordered], np.r_[1.0, 1 - np.arange(1, len(ordered) + 1) / len(ordered)]
