"""Figure: how often an attack gets past network and detector, before and after the attacker knows the detector."""

from __future__ import annotations

from collections.abc import Iterable

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from touchstone.contracts import UnitInterval
from touchstone.records.metric_rows import OBLIVIOUS
from touchstone.records.metric_tables import MetricRow
from touchstone.report import drawing, marks, palette
from touchstone.report.figures._curves import means_first
from touchstone.report.figures._words import attack_name
from touchstone.report.names import called, label_of

UNAWARE, AWARE = palette.COLOURS["sky blue"], palette.COLOURS["vermilion"]
WRONG = "wrong_rate"
ATTACKERS = {False: "attacker does not know the detector", True: "attacker knows network and detector"}


def evasion_by_knowledge(
    metrics: list[MetricRow], *, classifier: str | None = None, false_positive_rate: UnitInterval = 0.05
) -> Figure:
    """Return one row per detector: the share misclassified and not flagged if the attacker knows it, and if not.

    Of several attacks the most successful one; those of both attackers have the same norm and eps. Lines are 95 %
    intervals. The vertical line is the share that fools the network if there is no detector.

    Args:
        metrics: rows of an evasion evaluation, with means over seeds if there are several.
        classifier: the one to show; None shows the first.
        false_positive_rate: of the detectors, on calibration images.

    Raises:
        ValueError: no detector was attacked both ways within one budget.
    """
    metric = f"evasion_rate_at_{false_positive_rate:g}"
    entry = classifier or next((row.classifier for row in metrics if row.detector), "")
    rows = [row for row in metrics if row.classifier == entry and row.detector and row.threat.knowledge]
    oblivious = [row for row in rows if row.threat.knowledge == OBLIVIOUS]
    worst = {
        detector: (unaware, aware)
        for detector in dict.fromkeys(row.detector for row in rows)
        if (aware := _worst((row for row in rows if row.threat.is_white_box), detector, metric))
        and (unaware := _worst(_of_budget(oblivious, aware), detector, metric))
    }
    if not worst:
        raise ValueError("no detector with an attack that knows it and one of its budget that does not")
    order = sorted(worst, key=lambda name: worst[name][1].value)
    figure, (axes,) = drawing.panels(1, height=2.2 + 0.34 * len(order))
    names = {
        knows: f"{attacker}:\n{attack_name([rows[knows].threat for rows in worst.values()])}"
        for knows, attacker in ATTACKERS.items()
    }
    for height, detector in enumerate(reversed(order)):
        _row(axes, height, *worst[detector], names)
    alike = [row for _, aware in worst.values() for row in _of_budget(oblivious, aware)]
    wrong = [one for name in order if (one := _worst(alike, name, WRONG))]
    bare = max((row.value for row in wrong), default=None)
    if bare is not None:
        axes.axvline(bare, color=drawing.FAINT, linestyle="--", linewidth=1)
        axes.annotate(
            "without a detector", (bare, len(order) - 0.4), (-4, 0), textcoords="offset points", fontsize=9, ha="right"
        )
    axes.set_yticks(range(len(order)), [label_of(name) for name in reversed(order)])
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.6, len(order) - 0.2))
    axes.set_ylabel("detector")
    alarms = f"detectors at {false_positive_rate:.0%} false alarms\non calibration images"
    axes.set_xlabel(f"images of {called(entry)} that are\nmisclassified and not flagged;\n{alarms}")
    axes.grid(visible=False, axis="y")
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    for knows, colour in ((False, UNAWARE), (True, AWARE)):
        axes.plot([], [], "o", color=colour, markersize=7, label=names[knows])
    figure.legend(loc="outside lower center", fontsize=9)
    drawing.headline(figure, _takeaway(worst, order))
    return drawing.described(figure, _words(entry, worst, order))


def _of_budget(rows: Iterable[MetricRow], aware: MetricRow) -> list[MetricRow]:
    return [row for row in rows if (row.threat.norm, row.threat.eps) == (aware.threat.norm, aware.threat.eps)]


def _worst(rows: Iterable[MetricRow], detector: str, metric: str) -> MetricRow | None:
    own = [row for row in means_first(rows) if row.detector == detector and row.measured == metric]
    own = [row for row in own if row.seed == own[0].seed]
    return max(own, key=lambda row: row.value, default=None)


def _row(axes: Axes, height: int, unaware: MetricRow, aware: MetricRow, names: dict[bool, str]) -> None:
    axes.plot([unaware.value, aware.value], [height] * 2, color=drawing.FAINT, linewidth=1)
    for row, knows, colour, shift in ((unaware, False, UNAWARE, 0.16), (aware, True, AWARE, -0.16)):
        low, high = (row.value if end is None else end for end in (row.low, row.high))
        label = f"_{names[knows]}"
        axes.plot([low, high], [height + shift] * 2, color=colour, linewidth=1.3, label=label)
        (dot,) = axes.plot([row.value], [height], "o", color=colour, markersize=7, label=label)
        marks.shows(dot, row)
    axes.annotate(
        f"{aware.value:.0%}",
        (1.02, height),
        (6, 0),
        textcoords="offset points",
        fontsize=9,
        va="center",
        annotation_clip=False,
    )


def _takeaway(worst: dict[str, tuple[MetricRow, MetricRow]], order: list[str]) -> str:
    """Return what share gets past the detector that lets least through, before and after the attacker knows it."""
    (unaware, aware), name = worst[order[0]], called(order[0])
    known, unknown = (f"{row.value:.0%}" for row in (aware, unaware))
    return f"An attacker who knows the detector, {name}, gets past it on {known}, one who does not on {unknown}"


def _words(entry: str, worst: dict[str, tuple[MetricRow, MetricRow]], order: list[str]) -> str:
    shares = (
        f"{called(name)} {worst[name][0].value:.0%} unknown to the attacker, {worst[name][1].value:.0%} known"
        for name in order
    )
    return f"{_takeaway(worst, order)}. Misclassified by {called(entry)} and not flagged: {'; '.join(shares)}."
