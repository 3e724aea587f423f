"""Figure: do images that leave the distribution further fool more, and does translating them help more?"""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from touchstone.figures._curves import Curve
from touchstone.records.metric_rows import NONE, OBLIVIOUS
from touchstone.records.metric_tables import MetricRow
from touchstone.report import drawing, marks, palette

# What the paper links: how far out the router sees the images, how often they fool, what translating recovers.
EXCESS, ACCURACY, GAIN = "routing_excess", "untranslated_accuracy", "translation_gain"
PANELS = {
    EXCESS: "router's score minus its\nthreshold, in spreads of clean\nimages; above 0: translated",
    ACCURACY: "misclassified without translation",
    GAIN: "accuracy gained by translating",
}


def routing_against_eps(metrics: list[MetricRow], *, entry: str) -> Figure:
    """Return three panels over eps, one line per attack on the bare network: the router's score, errors, the gain.

    Bands are 95 % intervals. The link that the paper claims holds where all three rise together.

    Args:
        metrics: rows of a routing evaluation.
        entry: the defence to show.

    Raises:
        ValueError: nothing is measured at an eps.

    References:
        Amich and Eshete 2022.
    """
    lines: dict[tuple[str, str], Curve] = {}
    for row in sorted(metrics, key=lambda row: row.seed is None):
        metric, threat = row.measured, row.threat
        if row.entry == entry and metric in PANELS and threat.knows in (OBLIVIOUS, NONE):
            family = threat.use if threat.eps is not None else ""
            lines.setdefault((metric, family), {})[threat.eps or 0.0] = row
    families = sorted({family for _, family in lines if family})
    if not families:
        raise ValueError(f"no attack with an eps in the rows of {entry}")
    figure, panels = drawing.panels(len(PANELS), columns=3, height=2.6)
    for axes, (metric, title) in zip(panels, PANELS.items(), strict=True):
        for family in families:
            curve = lines.get((metric, ""), {}) | lines.get((metric, family), {})
            places = sorted(curve)
            values, low, high = zip(*(_ends(curve[eps]) for eps in places), strict=True)
            look = palette.line(family, families)
            (line,) = axes.plot(places, values, label=family, **look)
            marks.shows(line, *(curve[eps] for eps in places))
            axes.fill_between(places, low, high, color=look["color"], alpha=0.18, linewidth=0, label=f"_{family}")
        axes.set_title(title, fontsize=8)
        axes.set_xlabel("eps (pixels, from 0 to 1)")
        if metric == EXCESS:
            axes.axhline(0, color=drawing.FAINT, linewidth=1)
        else:
            axes.yaxis.set_major_formatter(PercentFormatter(1))
    panels[0].legend()
    figure.supylabel(" ")
    return drawing.described(figure, _words(lines, families))


def _ends(row: MetricRow) -> tuple[float, float, float]:
    """Return a row's value, low and high end; of an accuracy the errors that it leaves."""
    low, high = (row.value if end is None else end for end in (row.low, row.high))
    return (1 - row.value, 1 - low, 1 - high) if row.measured == ACCURACY else (row.value, low, high)


def _words(lines: dict[tuple[str, str], Curve], families: list[str]) -> str:
    parts = []
    for family in families:
        far = max(lines[ACCURACY, family])
        values = {metric: _ends(lines[metric, family][far])[0] for metric in PANELS if (metric, family) in lines}
        parts.append(
            f"{family} at eps {far:g} fools on {values[ACCURACY]:.0%} and translating gains {values[GAIN]:.0%},"
            f" with a score {values.get(EXCESS, 0):.2g} spreads above the threshold"
        )
    return "Score, errors and gain against eps: " + "; ".join(parts) + "."
