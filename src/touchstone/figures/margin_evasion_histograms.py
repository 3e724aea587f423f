"""Figure: how safe does the logit margin make brittle inputs look, unattacked and under attack?"""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from touchstone.contracts import NonNegativeInt, PositiveFloat
from touchstone.records.metric_tables import MetricRow
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

    Lines: brittle inputs (margin <= eps) and the others, unattacked; per white-box attack, the brittle inputs that are
    right unattacked and wrong under it. Inputs to the right of the vertical line, the threshold, are not flagged.

    Args:
        margins: of several methods, of which the smallest is kept.
        outputs: of the same networks, clean and attacked.
        metrics: rows of a margin_evasion evaluation, which has the threshold.
        eps: the radius within which an input is brittle, in pixels.
        seed: the one to show.

    Raises:
        ValueError: there are no margins of the seed.
    """
    groups = [group for group in kept(margins, outputs) if group.seed == seed and group.norm == "linf"]
    if not groups:
        raise ValueError(f"no margins of seed {seed}")
    figure, panels = drawing.panels(len(groups), columns=2, height=3.7)
    shares = []
    for axes, group in zip(panels, groups, strict=True):
        name = network(group.outputs)
        brittle, logits = group.margins <= eps, logit_margins(group.logits)
        lines = {"brittle, unattacked": logits[brittle], "other inputs, unattacked": logits[~brittle]}
        own = (cell for cell in outputs if network(cell) == name and cell.examples == group.examples)
        for cell in (cell for cell in own if white_box(cell)):
            same = rows_of(cell.noun.example_ids, group.ids, cell.file)
            wrong = ~correct(cell.noun.predictions, cell.noun.labels)[same] & brittle & group.right
            lines[f"brittle, right unattacked, wrong under {cell.attack}"] = logit_margins(
                cell.noun.logits[same[wrong]]
            )
        for place, (title, values) in enumerate(lines.items()):
            if len(values):
                label = f"{title} ({len(values)} of {len(brittle)} inputs)"
                axes.step(*_above(values), where="post", label=label, **palette.population(place))
        about = (group.entry, group.seed, group.examples, "threshold")
        for row in metrics:
            if (row.entry, row.seed, row.examples, row.metric) == about:
                axes.axvline(row.value, color=drawing.INK, linewidth=1.0)
                axes.annotate("threshold", (row.value, 1.0), xycoords=("data", "axes fraction"), fontsize=7.5)
                above = [f"{(v > row.value).mean():.1%} of {title}" for title, v in lines.items() if len(v)]
                shares.append(f"{name}, above {row.value:.2f}: {', '.join(above)}")
        axes.set(title="\n" + name, xlabel="logit margin", ylabel="share of inputs above it")
        axes.legend(fontsize=7.5, loc="upper center", bbox_to_anchor=(0.45, -0.24))
    words = "; ".join(shares) or "no threshold is given"
    return drawing.described(figure, f"How many inputs have a logit margin above each value. {words}.")


def _above(values: Array) -> tuple[Array, Array]:
    """Return the values, ascending, and the share of them above each."""
    ordered = np.sort(values)
    return np.r_[0.0, ordered], np.r_[1.0, 1 - np.arange(1, len(ordered) + 1) / len(ordered)]
