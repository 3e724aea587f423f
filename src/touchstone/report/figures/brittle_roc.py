"""Figure: how many brittle inputs the logit margin finds at each share of false alarms, for several eps."""

from __future__ import annotations

from matplotlib.figure import Figure

from touchstone.contracts import NonNegativeInt, PositiveFloat, PositiveInt
from touchstone.evaluations.statistics.estimators import auroc, logit_margins
from touchstone.evaluations.statistics.margin_cells import kept
from touchstone.evaluations.statistics.threats import network
from touchstone.records.nouns import Cell
from touchstone.report import drawing, palette
from touchstone.report.figures._roc_lines import roc_line

RAREST = 0.05  # share of the rarer class below which no curve is drawn


def brittle_roc(
    margins: list[Cell],
    outputs: list[Cell],
    *,
    eps: list[PositiveFloat],
    classifiers: list[str] | None = None,
    seed: NonNegativeInt = 0,
    resamples: PositiveInt = 200,
) -> Figure:
    """Return one panel per classifier, set and norm, one ROC curve per eps in its 95 % band, AUROCs in the legend.

    Positive is brittle: an input margin of at most eps. The score is minus the logit margin. An eps at which fewer than
    5 % of the inputs are brittle, or fewer than 5 % are not, has no curve.

    Args:
        margins: of several methods, of which the smallest is kept.
        outputs: of the same sets.
        eps: the radii, in pixels.
        classifiers, seed: those to show; None shows all classifiers.
        resamples: bootstrap samples of a band.

    Raises:
        ValueError: there is nothing to show.
    """
    wanted = classifiers or list(dict.fromkeys(cell.entry for cell in margins))
    groups = [group for group in kept(margins, outputs) if group.seed == seed and group.entry in wanted]
    if not groups:
        raise ValueError(f"no margins of seed {seed} of {', '.join(wanted)}")
    groups.sort(key=lambda group: wanted.index(group.entry))
    figure, panels = drawing.panels(len(groups), columns=2, height=3.1)
    areas = []
    for axes, group in zip(panels, groups, strict=True):
        scores = -logit_margins(group.logits)
        for place, radius in enumerate(eps):
            brittle = group.margins <= radius
            if min(brittle.mean(), 1 - brittle.mean()) < RAREST:
                continue
            look = palette.population(place)
            populations = scores[~brittle], scores[brittle]
            area = auroc(*populations)
            label = f"{radius:g}: {area:.3f} ({brittle.mean():.0%} brittle)"
            roc_line(axes, *populations, label=label, look=look, resamples=resamples)
            areas.append(f"{area:.3f} at eps {radius:g} for {network(group.outputs)}")
        axes.plot([0, 1], [0, 1], color=drawing.FAINT, linewidth=0.8)  # chance
        axes.set(title=network(group.outputs), xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
        axes.set(xlabel="other inputs flagged (share)", ylabel="brittle inputs caught (share)")
        axes.legend(title="eps: AUROC", title_fontsize=7.5, fontsize=7.5, loc="lower right")
    return drawing.described(figure, f"ROC curves of the logit margin against brittleness. AUROC {'; '.join(areas)}.")
