"""Figure: how many brittle inputs the logit margin finds at each share of false alarms, for several eps."""

from __future__ import annotations

from matplotlib.figure import Figure

from touchstone.contracts import NonNegativeInt, PositiveFloat, PositiveInt
from touchstone.evaluations.statistics.estimators import Array, logit_margins, point, roc
from touchstone.evaluations.statistics.margin_cells import kept
from touchstone.records.nouns import Cell
from touchstone.report import drawing, palette
from touchstone.report.figures._roc_lines import roc_line
from touchstone.report.names import called

RAREST = 0.05  # share of the rarer class below which no curve is drawn
FLAGGED = 0.1  # share of the other inputs that are flagged where the title counts misses


def brittle_roc(
    margins: list[Cell],
    outputs: list[Cell],
    *,
    eps: list[PositiveFloat],
    classifiers: list[str] | None = None,
    seed: NonNegativeInt = 0,
    resamples: PositiveInt = 200,
) -> Figure:
    """Return one panel per classifier, set and norm, one ROC curve per eps in its 95 % band, AUROCs below.

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
    figure, panels = drawing.panels(len(groups), columns=2, height=3.4)
    areas: list[str] = []
    missed: dict[float, dict[str, float]] = {}
    several = len({group.examples for group in groups}) > 1
    for axes, group in zip(panels, groups, strict=True):
        scores = -logit_margins(group.logits)
        where = called(group.entry) + (f" on {called(group.examples)}" if several else "")
        for place, radius in enumerate(eps):
            brittle = group.margins <= radius
            if min(brittle.mean(), 1 - brittle.mean()) < RAREST:
                continue
            look = palette.population(place)
            populations = scores[~brittle], scores[brittle]
            area = point("auroc", *populations)
            label = f"eps {radius:g}: AUROC {area:.2f} ({brittle.mean():.0%} brittle)"
            roc_line(axes, *populations, label=label, look=look, resamples=resamples)
            areas.append(f"{area:.2f} at eps {radius:g} for {where}")
            missed.setdefault(radius, {})[where] = _missed(*populations)
        axes.axvline(FLAGGED, color=drawing.FAINT, linewidth=0.9, linestyle=":")
        drawing.roc_axes(axes, f"{where.removeprefix('the ')}, seed {seed}", "other inputs flagged (share)")
    figure.supylabel("brittle inputs caught (share)", fontsize=9)
    if missed:
        drawing.headline(figure, _takeaway(missed))
    return drawing.described(figure, f"ROC curves of the logit margin against brittleness. AUROC {'; '.join(areas)}.")


def _missed(others: Array, brittle: Array) -> float:
    """Return the share of brittle inputs that are missed if `FLAGGED` of the others may be flagged."""
    flagged, caught = roc(others, brittle)
    return float(1 - caught[flagged <= FLAGGED].max())


def _takeaway(missed: dict[float, dict[str, float]]) -> str:
    """Return how many brittle inputs the logit margin misses, at the middle one of the eps with the most curves."""
    most = max(map(len, missed.values()))
    drawn = [eps for eps in sorted(missed) if len(missed[eps]) == most]
    eps = drawn[len(drawn) // 2]
    first, *others = missed[eps].items()
    words = f"With {FLAGGED:.0%} of the others flagged, the logit margin misses {first[1]:.0%} of the brittle inputs"
    return ", ".join([f"{words} (eps {eps:g}) of {first[0]}", *(f"{share:.0%} of {name}" for name, share in others)])
