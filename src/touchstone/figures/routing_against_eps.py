"""Figure: do images that leave the distribution further fool more, and does translating them help more?"""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from touchstone.records.metric_rows import MetricRow
from touchstone.report import drawing, palette

# What the paper links: how far out the router finds the images, how often they fool, what translating gives back.
PANELS = {
    "routing_excess": "router's score above its threshold\n(spreads of clean images)",
    "untranslated_accuracy": "misclassified without translation",
    "translation_gain": "accuracy gained by translating",
}


def routing_against_eps(metrics: list[MetricRow], *, entry: str) -> Figure:
    """Return three panels over eps, one line per attack on the bare network: the router's score, errors, the gain.

    metrics: rows of a routing evaluation about the defence `entry`. Bands: least to greatest over seeds, or the 95 %
    interval of one. The link that the paper claims holds where the three rise together. ValueError where nothing is
    measured at an eps.
    """
    lines: dict[tuple[str, str], dict[float, MetricRow]] = {}
    for row in sorted(metrics, key=lambda row: row.seed is None):
        metric, threat = row.measured, row.threat
        if row.entry == entry and metric in PANELS and threat.knows in ("oblivious", "none"):
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
            ends = [[_of(curve[eps], end) for eps in places] for end in ("value", "low", "high")]
            look = palette.line(family, families)
            axes.plot(places, ends[0], label=family, **look)
            axes.fill_between(places, ends[1], ends[2], color=look["color"], alpha=0.18, linewidth=0)
        axes.set_title(title, fontsize=8)
        axes.set_xlabel("eps (pixels, from 0 to 1)")
        if metric != "routing_excess":
            axes.yaxis.set_major_formatter(PercentFormatter(1))
    panels[0].legend()
    figure.supylabel(" ")
    return drawing.described(figure, _words(lines, families))


def _of(row: MetricRow, end: str) -> float:
    """Return a row's value or an end of its interval; of an accuracy the errors that it leaves."""
    value = float(row.value if row[end] is None else row[end])
    return 1 - value if row.measured == "untranslated_accuracy" else value


def _words(lines: dict[tuple[str, str], dict[float, MetricRow]], families: list[str]) -> str:
    parts = []
    for family in families:
        far = max(lines["untranslated_accuracy", family])
        found = {metric: _of(lines[metric, family][far], "value") for metric in PANELS if (metric, family) in lines}
        parts.append(
            f"{family} at eps {far:g} fools on {found['untranslated_accuracy']:.0%} and translating gains"
            f" {found['translation_gain']:.0%}, with a score {found.get('routing_excess', 0):.2g} spreads above the"
            " threshold"
        )
    return "Score, errors and gain against eps: " + "; ".join(parts) + "."
