"""Figure: how much accuracy defences keep if the attacker knows nothing, something or everything of them."""

from __future__ import annotations

from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from touchstone.evaluations.statistics.places import place_of
from touchstone.records.metric_rows import NONE, OBLIVIOUS, TRANSFER, WHITE_BOX
from touchstone.records.metric_tables import MetricRow
from touchstone.report import drawing, marks, palette

KNOWING, GREY = palette.COLOURS["vermilion"], palette.IN_DISTRIBUTION
METRICS = ("accuracy", "clean_accuracy", "robust_accuracy")
ORACLE = "oracle_accuracy"
# The columns: what the attacker knew.
COLUMNS = {
    NONE: "clean",
    OBLIVIOUS: "oblivious: made on\nthe bare network",
    TRANSFER: "transfer: made on\nanother network",
    WHITE_BOX: "white-box: made on\nthe defence itself",
}


class _Place(NamedTuple):
    entry: str
    knowledge: str  # a key of COLUMNS


def defended_accuracy(
    metrics: list[MetricRow], *, attacks: list[str], examples: str, entries: list[str], oracle: str | None = None
) -> Figure:
    """Return one panel per state of the attacker's knowledge, one line per classifier or defence: accuracy left.

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
    columns = [knowledge for knowledge in COLUMNS if any(place.knowledge == knowledge for place in rows)]
    names += list(dict.fromkeys(place.entry for place in upper))
    figure, panels = drawing.panels(len(columns), columns=4, height=0.9 + 0.3 * len(names), sharey=True)
    for axes, knowledge in zip(panels, columns, strict=True):
        for height, name in enumerate(reversed(names)):
            _point(axes, height, (rows | upper).get(_Place(name, knowledge)), name, entries)
        axes.set(xlim=(-0.04, 1.04), ylim=(-0.6, len(names) - 0.4))
        axes.set_title(COLUMNS[knowledge], fontsize=8)
        axes.xaxis.set_major_formatter(PercentFormatter(1))
        axes.set_yticks(range(len(names)), reversed(names))
        axes.set_xticks([0, 0.4, 0.8])  # labels of neighbours would meet at 0 and 1
    figure.supxlabel("accuracy", fontsize=9)
    figure.supylabel(" ")
    if attacked:
        best = names[0]
        title = f"Against an attacker who knows everything, {best} keeps most: {attacked[best]:.0%}"
        drawing.headline(figure, title)
    return drawing.described(figure, _words(rows, names))


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
        if knowledge in COLUMNS and (not place.changes or place.last in attacks):
            lowest.setdefault(_Place(row.entry, knowledge), row)
    return lowest


def _point(axes: Axes, height: int, row: MetricRow | None, name: str, entries: list[str]) -> None:
    if row is None:
        return
    colour = GREY if name not in entries else KNOWING if row.threat.is_white_box else palette.COLOURS["sky blue"]
    low, high = (row.value if end is None else end for end in (row.low, row.high))
    axes.plot([low, high], [height, height], color=colour, linewidth=1.6)
    face = colour if name in entries else "none"
    (dot,) = axes.plot([row.value], [height], "o", color=colour, markerfacecolor=face, markersize=4.5)
    marks.shows(dot, row)
    inwards = row.value > 0.5
    axes.annotate(
        f"{row.value:.0%}", (low if inwards else high, height), xytext=(-4 if inwards else 4, 0),
        textcoords="offset points", ha="right" if inwards else "left", va="center", fontsize=7.5,
    )  # fmt: skip


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
        columns = (key for key in COLUMNS if key in own)
        shares = (f"{own[key].value:.0%} {COLUMNS[key].split(':')[0]}" for key in columns)
        parts.append(f"{name}: " + ", ".join(shares))
    words = "Accuracy by what the attacker knew. " + "; ".join(parts) + "."
    attacked = {place.entry: row for place, row in rows.items() if place.knowledge == WHITE_BOX}
    if len(attacked) > 1:
        best = max(attacked, key=lambda name: attacked[name].value)
        words += f" Against the attacker who knows everything, most is left of {best}: {attacked[best].value:.0%}."
    return words
