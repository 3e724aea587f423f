"""Figure: how often an attack gets past network and detector, before and after the attacker knows the detector."""

from __future__ import annotations

from collections.abc import Iterable

from matplotlib.figure import Figure

from touchstone.contracts import UnitInterval
from touchstone.records.metric_rows import OBLIVIOUS
from touchstone.records.metric_tables import MetricRow
from touchstone.report import drawing, palette
from touchstone.report.figures import _dots
from touchstone.report.figures._curves import means_first
from touchstone.report.figures._dots import Dot
from touchstone.report.figures._words import attack_name, in_sentence, percent
from touchstone.report.names import called, label_of

UNAWARE, AWARE, BARE = palette.COLOURS["sky blue"], palette.COLOURS["vermilion"], palette.IN_DISTRIBUTION
WRONG = "wrong_rate"
NO_DETECTOR, KNOWS = "no detector", "attacks that know it"
ATTACKERS = {
    BARE: "the most that attacks that do not know it misclassify, flagged or not",
    UNAWARE: "the attacker does not know the detector",
    AWARE: "the attacker knows network and detector",
}


def evasion_by_knowledge(
    metrics: list[MetricRow], *, classifier: str | None = None, false_positive_rate: UnitInterval = 0.05
) -> Figure:
    """Return one panel per detector, one row per attack: the share of images misclassified and not flagged.

    The first row is the share that is misclassified if there is no detector, under the attack that fools the network most.
    Then each attack that does not know the detector, the least successful first, and of those that know it the most
    successful. All have the same norm and eps. Lines are 95 % intervals.

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
    found = {
        detector: (unaware, aware)
        for detector in dict.fromkeys(row.detector for row in rows)
        if (
            aware := max(
                _own((row for row in rows if row.threat.is_white_box), detector, metric), key=_value, default=None
            )
        )
        and (unaware := sorted(_own(_of_budget(oblivious, aware), detector, metric), key=_value))
    }
    if not found:
        raise ValueError("no detector with an attack that knows it and one of its budget that does not")
    order = sorted(found, key=lambda name: found[name][1].value)
    panels = {label_of(name): _dots_of(oblivious, name, *found[name]) for name in order}
    across = f"misclassified and not flagged\n({100 * false_positive_rate:g}% false alarms on clean images)"
    figure = _dots.stacked(panels, across, "attack", ATTACKERS)
    worst = {name: (unaware[-1], aware) for name, (unaware, aware) in found.items()}
    drawing.headline(figure, _takeaway(worst, order))
    return drawing.described(figure, _words(entry, worst, order))


def _value(row: MetricRow) -> float:
    return row.value


def _of_budget(rows: Iterable[MetricRow], aware: MetricRow) -> list[MetricRow]:
    return [row for row in rows if (row.threat.norm, row.threat.eps) == (aware.threat.norm, aware.threat.eps)]


def _own(rows: Iterable[MetricRow], detector: str, metric: str) -> list[MetricRow]:
    """Return the rows of one metric of a detector: means over seeds, or those of the first seed if there are none."""
    own = [row for row in means_first(rows) if row.detector == detector and row.measured == metric]
    return [row for row in own if row.seed == own[0].seed]


def _dots_of(oblivious: list[MetricRow], detector: str, unaware: list[MetricRow], aware: MetricRow) -> list[Dot]:
    """Return the rows of one detector, from the top."""
    bare = max(_own(_of_budget(oblivious, aware), detector, WRONG), key=_value, default=None)
    dots = [Dot(NO_DETECTOR, bare, BARE)] if bare else []
    dots += [Dot(in_sentence(attack_name([row.threat])), row, UNAWARE) for row in unaware]
    return [*dots, Dot(KNOWS, aware, AWARE)]


def _takeaway(worst: dict[str, tuple[MetricRow, MetricRow]], order: list[str]) -> str:
    """Return what share gets past the detector that lets least through, before and after the attacker knows it."""
    (unaware, aware), name = worst[order[0]], called(order[0])
    known, unknown = (f"{percent(row.value)}" for row in (aware, unaware))
    return f"An attacker who knows the detector, {name}, gets past it on {known}, one who does not on {unknown}"


def _words(entry: str, worst: dict[str, tuple[MetricRow, MetricRow]], order: list[str]) -> str:
    shares = (
        f"{called(name)} {percent(worst[name][0].value)} unknown to the attacker, {percent(worst[name][1].value)} known"
        for name in order
    )
    return f"{_takeaway(worst, order)}. Misclassified by {called(entry)} and not flagged: {'; '.join(shares)}."
