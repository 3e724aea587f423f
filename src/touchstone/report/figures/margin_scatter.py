"""Figure: does a small logit margin mean that the decision boundary is near?"""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from touchstone.contracts import NonNegativeInt
from touchstone.evaluations.statistics.estimators import kendall_tau, logit_margins
from touchstone.evaluations.statistics.margin_cells import kept
from touchstone.records.nouns import Array, Cell
from touchstone.report import drawing, palette
from touchstone.report.names import called, label_of

WRONG, OTHER = palette.COLOURS["vermilion"], palette.COLOURS["blue"]
NO_ORDER = "all margins are equal"  # none was found, or all are 0


def margin_scatter(
    margins: list[Cell], outputs: list[Cell], *, classifiers: list[str] | None = None, seed: NonNegativeInt = 0
) -> Figure:
    """Return one panel per classifier, set and norm: input margin against logit margin, one point per input.

    Filled points are classified right. Margins that were not found are at the right edge. The title has Kendall's tau-b,
    in which margins that were not found rank last, unless all margins are equal.

    Args:
        margins: of several methods, of which the smallest is kept.
        outputs: of the same classifiers on the same unattacked sets.
        classifiers: those to show, in that order; None shows all.
        seed: the one to show.

    Raises:
        ValueError: there are no margins of the networks.
    """
    wanted = classifiers or list(dict.fromkeys(cell.entry for cell in margins))
    groups = [group for group in kept(margins, outputs) if group.seed == seed and group.entry in wanted]
    if not groups:
        raise ValueError(f"no margins of seed {seed} of {', '.join(wanted)}")
    groups.sort(key=lambda group: wanted.index(group.entry))
    figure, panels = drawing.panels(len(groups), columns=3 if len(groups) > 4 else 2, height=2.7)
    taus: dict[str, float | None] = {}
    for axes, group in zip(panels, groups, strict=True):
        logits, missing = logit_margins(group.logits), np.isinf(group.margins)
        tau = None if _alike(group.margins) or _alike(logits) else kendall_tau(group.margins, logits)
        edge = 1.08 * (max(group.margins[~missing], default=0.0) or 1.0)
        look = palette.line(group.entry, wanted)
        for rows, colour, mark, label in (
            (group.right, look["color"], look["marker"], "right"),
            (~group.right, WRONG if look["color"] != WRONG else OTHER, "x", "wrong"),
        ):
            axes.scatter(
                np.minimum(group.margins, edge)[rows], logits[rows], s=9, marker=mark, color=colour, linewidths=0.8,
                alpha=0.7, label=label, rasterized=True,
            )  # fmt: skip
        if missing.any():
            axes.axvline(edge, color=drawing.FAINT, linewidth=0.8)
            axes.annotate(
                "not found", (edge, 1), xycoords=("data", "axes fraction"), ha="right", va="bottom", fontsize=8
            )
        axes.set(xlabel=f"input margin ({group.norm}, pixels from 0 to 1)", ylabel="logit margin (logits)")
        axes.set_xlim(0, edge * 1.03)
        axes.set_title(f"{label_of(group.entry)}, seed {seed}: " + (NO_ORDER if tau is None else f"tau = {tau:.2f}"))
        taus[f"{called(group.entry)} on {called(group.examples)}"] = tau
    panels[0].legend(title="classified", loc="upper left")
    drawing.headline(figure, _takeaway(taus))
    words = "; ".join(
        f"{name}: {NO_ORDER}" if tau is None else f"Kendall's tau {tau:.2f} for {name}" for name, tau in taus.items()
    )
    return drawing.described(figure, f"Input margin against logit margin, one point per input: {words}.")


def _alike(values: Array) -> bool:
    return bool((values == values[0]).all())


def _takeaway(found: dict[str, float | None]) -> str:
    """Return where the logit margin orders inputs most like their distance to the boundary, and where least."""
    taus = {name: tau for name, tau in found.items() if tau is not None}
    if not taus:
        return f"The margins of no network order its inputs: {NO_ORDER}"
    best, worst = max(taus, key=lambda name: taus[name]), min(taus, key=lambda name: taus[name])
    words = (
        f"Kendall's tau of logit margin and distance to the boundary (1: the same order) is {taus[best]:.2f} in {best}"
    )
    return words if best == worst else f"{words}, {taus[worst]:.2f} in {worst}"
