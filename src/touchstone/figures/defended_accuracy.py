"""Figure: what defences are worth to an attacker who knows nothing, something, everything."""

from __future__ import annotations

from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from touchstone.report import drawing, palette
from touchstone.statistics.rows import Row, measured
from touchstone.statistics.threats import read

METRICS = ("accuracy", "clean_accuracy", "robust_accuracy")
ORACLE = "oracle_accuracy"
WHITE = "white-box"
# The columns: what the attacker knew, by the first word of the threat model.
KNOWN = {
    "none": "clean",
    "oblivious": "oblivious: made on\nthe bare network",
    "transfer": "transfer: made on\nanother network",
    WHITE: "white-box: made on\nthe defence itself",
}


class _Place(NamedTuple):
    entry: str
    known: str


def defended_accuracy(
    metrics: list[dict[str, Any]], *, attacks: list[str], examples: str, entries: list[str], oracle: str | None = None
) -> Figure:
    """Return one panel per state of the attacker's knowledge, one line per classifier or defence: accuracy left.

    metrics: rows of a routing evaluation, and of robustness ones for the networks to compare with. Of several attacks
    among `attacks` in one place the one that leaves least is drawn, on versions of `examples`. entries: what is shown,
    top down; oracle: the defence whose oracle router is shown as well, in grey, an upper bound that no one can deploy and
    that no white-box attack was made on.
    Ends: least to greatest over seeds, or the 95 % interval of a single one. ValueError where nothing is left to show.
    """
    found = _found(metrics, attacks, examples, [*entries, *([oracle] if oracle else [])])
    upper = _found(metrics, attacks, examples, [oracle] if oracle else [], (ORACLE,))
    found = {place: row for place, row in found.items() if place.entry in entries}
    # What an attack on the deployed router leaves of the oracle is no attack on the oracle.
    upper = {
        place._replace(entry=f"{place.entry}, oracle"): row for place, row in upper.items() if place.known != WHITE
    }
    names = [name for name in entries if any(place.entry == name for place in found)]
    if not names:
        raise ValueError(f"no accuracy of {', '.join(entries)} on {examples}")
    names += list(dict.fromkeys(place.entry for place in upper))
    columns = [known for known in KNOWN if any(place.known == known for place in found)]
    figure, panels = drawing.panels(len(columns), columns=4, height=0.9 + 0.3 * len(names), sharey=True)
    for axes, known in zip(panels, columns, strict=True):
        for height, name in enumerate(reversed(names)):
            _point(axes, height, (found | upper).get(_Place(name, known)), name, entries)
        axes.set(xlim=(-0.04, 1.04), ylim=(-0.6, len(names) - 0.4))
        axes.set_title(KNOWN[known], fontsize=8)
        axes.xaxis.set_major_formatter(PercentFormatter(1))
        axes.set_yticks(range(len(names)), reversed(names))
        axes.set_xticks([0, 0.5, 1])
    figure.supxlabel("accuracy", fontsize=9)
    figure.supylabel(" ")
    return drawing.described(figure, _words(found))


def _found(
    rows: list[Row], attacks: list[str], examples: str, entries: list[str], metrics: tuple[str, ...] = METRICS
) -> dict[_Place, Row]:
    """Return the row of each place; a mean over seeds goes before single seeds, the lowest before others."""
    found: dict[_Place, Row] = {}
    for row in sorted(rows, key=lambda row: (row["seed"] is not None, row["value"])):
        name, *way = row["examples"].split("/")
        threat = read(row["threat"])
        known = next((word for word in KNOWN if threat.knows.startswith(word)), None)
        asked = row["entry"] in entries and measured(row["metric"]) in metrics and name == examples and known
        if asked and (not way or way[-1] in attacks):
            found.setdefault(_Place(row["entry"], str(known)), row)
    return found


def _point(axes: Axes, height: int, row: Row | None, name: str, entries: list[str]) -> None:
    if row is None:
        return
    look = {"color": palette.IN_DISTRIBUTION, "marker": "o"} if name not in entries else palette.line(name, entries)
    low, high = (row["value"] if end is None else end for end in (row["low"], row["high"]))
    filled = look["color"] if name in entries else "none"
    axes.plot([low, high], [height, height], color=look["color"], linewidth=1.4)
    axes.plot(
        [row["value"]], [height], marker=look["marker"], color=look["color"], markerfacecolor=filled, markersize=5
    )
    inwards = row["value"] > 0.5
    axes.annotate(
        f"{row['value']:.0%}", (low if inwards else high, height), xytext=(-4 if inwards else 4, 0),
        textcoords="offset points", ha="right" if inwards else "left", va="center", fontsize=7.5,
    )  # fmt: skip


def _words(found: dict[_Place, Row]) -> str:
    parts = []
    for name in dict.fromkeys(place.entry for place in found):
        own = {place.known: row for place, row in found.items() if place.entry == name}
        told = (f"{own[known]['value']:.0%} {KNOWN[known].split(':')[0]}" for known in KNOWN if known in own)
        parts.append(f"{name}: " + ", ".join(told))
    words = "Accuracy by what the attacker knew. " + "; ".join(parts) + "."
    broken = {place.entry: row for place, row in found.items() if place.known == WHITE}
    if len(broken) > 1:
        best = max(broken, key=lambda name: broken[name]["value"])
        words += f" Against the attacker who knows everything, most is left of {best}: {broken[best]['value']:.0%}."
    return words
