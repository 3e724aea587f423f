"""Figure: how much accuracy defences keep if the attacker knows nothing, something or everything of them."""

from __future__ import annotations

from typing import NamedTuple

from matplotlib.figure import Figure

from touchstone.evaluations.statistics.places import place_of
from touchstone.messages import listed
from touchstone.records.metric_rows import NONE, OBLIVIOUS, TRANSFER, WHITE_BOX
from touchstone.records.metric_tables import MetricRow
from touchstone.report import drawing, palette
from touchstone.report.figures import _dots
from touchstone.report.figures._dots import Dot
from touchstone.report.figures._words import percent
from touchstone.report.names import called, label_of

UNKNOWING, KNOWING, GREY = palette.COLOURS["sky blue"], palette.COLOURS["vermilion"], palette.IN_DISTRIBUTION
METRICS = ("accuracy", "clean_accuracy", "robust_accuracy")
ORACLE = "oracle_accuracy"
LEGEND = {
    UNKNOWING: "no attack, or one that does not know all",
    KNOWING: "an attack on all that is there",
    GREY: "an oracle says which images are attacked",
}
# The panels: what the attacker knew, and on what the attack was made.
PANELS = {
    NONE: "clean: no attack",
    OBLIVIOUS: "oblivious: on the bare network",
    TRANSFER: "transfer: on another network",
    WHITE_BOX: "white-box: on the defence itself",
}


class _Place(NamedTuple):
    entry: str
    knowledge: str  # a key of PANELS


def defended_accuracy(
    metrics: list[MetricRow], *, attacks: list[str], examples: str, entries: list[str], oracle: str | None = None
) -> Figure:
    """Return one panel per state of the attacker's knowledge, one row per classifier or defence: accuracy left.

    Of several attacks in one place the one that leaves least is drawn. Horizontal lines are 95 % intervals.

    Args:
        metrics: rows of a routing evaluation, and of robustness ones for the networks to compare with.
        attacks: those to show, on versions of `examples`.
        examples: the clean set.
        entries: classifiers and defences, from the top.
        oracle: the defence whose oracle router is shown in grey: an upper bound that no one can deploy, and that no
            white-box attack was made on.

    Raises:
        ValueError: none of the entries has an accuracy on `examples`.
    """
    rows = _lowest(metrics, METRICS, attacks, examples, entries)
    oracles = _lowest(metrics, (ORACLE,), attacks, examples, [oracle] if oracle else [])
    # An attack on the deployed router is no attack on the oracle.
    upper = {
        place._replace(entry=f"{place.entry}, oracle"): row
        for place, row in oracles.items()
        if place.knowledge != WHITE_BOX
    }
    names = [name for name in entries if any(place.entry == name for place in rows)]
    if not names:
        raise ValueError(f"no accuracy of {', '.join(entries)} on {examples}")
    rows = _as_if_oblivious(rows)
    attacked = {place.entry: row.value for place, row in rows.items() if place.knowledge == WHITE_BOX}
    names.sort(key=lambda name: -attacked.get(name, -1.0))
    names += list(dict.fromkeys(place.entry for place in upper))
    panels = {
        title: [_dot(row, name, entries) for name in names if (row := (rows | upper).get(_Place(name, knowledge)))]
        for knowledge, title in PANELS.items()
        if any(place.knowledge == knowledge for place in rows)
    }
    figure = _dots.stacked(panels, "share of images classified right", "defence", LEGEND)
    drawing.headline(figure, _takeaway(rows, [name for name in names if name in attacked]))
    return drawing.described(figure, _words(rows, names))


def _takeaway(rows: dict[_Place, MetricRow], names: list[str]) -> str:
    """Return what each keeps if the attacker knows everything; if no one was attacked so, on clean images.

    Args:
        rows: by their places.
        names: those that were attacked by one who knows everything, the best first.
    """
    if not names:
        clean = {place.entry: row.value for place, row in rows.items() if place.knowledge == NONE}
        return "On clean images " + ", ".join(
            f"{called(name)} is right on {percent(value)}" for name, value in clean.items()
        )
    kept = [f"{called(name)} {{}}on {percent(rows[_Place(name, WHITE_BOX)].value)}" for name in names]
    return f"Against an attacker who knows everything, {listed(kept)}".replace("{}", "is right ", 1).replace("{}", "")


def _lowest(
    rows: list[MetricRow], metrics: tuple[str, ...], attacks: list[str], examples: str, entries: list[str]
) -> dict[_Place, MetricRow]:
    """Return the row of each place: means over seeds before single seeds, then the lowest."""
    lowest: dict[_Place, MetricRow] = {}
    for row in sorted(rows, key=lambda row: (row.seed is not None, row.value)):
        place = place_of(row)
        if row.entry not in entries or row.measured not in metrics or place.dataset != examples:
            continue
        knowledge = WHITE_BOX if row.threat.is_white_box else row.threat.knowledge
        if knowledge in PANELS and (not place.changes or place.last in attacks):
            lowest.setdefault(_Place(row.entry, knowledge), row)
    return lowest


def _dot(row: MetricRow, name: str, entries: list[str]) -> Dot:
    known = KNOWING if row.threat.is_white_box else UNKNOWING
    words = label_of(name) if name in entries else "oracle as router"
    return Dot(words, row, known if name in entries else GREY, hollow=name not in entries)


def _as_if_oblivious(rows: dict[_Place, MetricRow]) -> dict[_Place, MetricRow]:
    """Return the rows with those of bare networks in the oblivious column too: attacks on them are made on them anyway."""
    bare = {
        place._replace(knowledge=OBLIVIOUS): row
        for place, row in rows.items()
        if place.knowledge == WHITE_BOX and row.measured == "robust_accuracy"
    }
    return bare | rows


def _words(rows: dict[_Place, MetricRow], names: list[str]) -> str:
    parts = []
    for name in (name for name in names if any(place.entry == name for place in rows)):
        own = {place.knowledge: row for place, row in rows.items() if place.entry == name}
        shares = (f"{percent(own[key].value)} {title.split(':')[0]}" for key, title in PANELS.items() if key in own)
        parts.append(f"{called(name)}: " + ", ".join(shares))
    words = "Accuracy by what the attacker knew. " + "; ".join(parts) + "."
    attacked = {place.entry: row for place, row in rows.items() if place.knowledge == WHITE_BOX}
    if len(attacked) > 1:
        best = max(attacked, key=lambda name: attacked[name].value)
        most = percent(attacked[best].value)
        words += f" Against the attacker who knows everything, most is left of {called(best)}: {most}."
    return words
