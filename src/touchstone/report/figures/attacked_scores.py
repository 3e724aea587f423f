"""Figure: how well each training's score tells known images from others, before and after an attacker changes both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from touchstone.evaluations.statistics.places import place_of
from touchstone.messages import listed
from touchstone.records.metric_tables import MetricRow
from touchstone.report import drawing, marks, palette
from touchstone.report.figures._curves import overall
from touchstone.report.figures._words import auroc_words
from touchstone.report.names import called, label_of

CLEAN, ATTACKED = palette.COLOURS["sky blue"], palette.COLOURS["vermilion"]
ROW, HEAD, REST = 0.22, 0.36, 1.6  # inches: of a row, of a panel's title, and of all else
TEXT = 9.8  # points
BEST = "best"  # in place of the name of a detector, in rows of a union_detection evaluation
CHANCE = 0.5
SHIFT = 0.14  # of a row: how far an interval is above or below its middle


class _Aurocs(NamedTuple):
    """What a score keeps of one set; without an attack on it, `attacked` is None."""

    name: str
    clean: MetricRow
    attacked: MetricRow | None = None


def attacked_scores(metrics: list[MetricRow], *, entries: list[str], detectors: list[str]) -> Figure:
    """Return one panel per set of other images, one row per training: the AUROC of its best score, clean and attacked.

    Lines are 95 % intervals, the dotted line is chance. The rows of detectors that look at no network say how easy a set
    is: no attack was made on them.

    Args:
        metrics: rows of a union_detection evaluation, and of a detection one for the detectors.
        entries: the first network of each kind, from the top.
        detectors: those that look at no network, below them.

    Raises:
        ValueError: none of the networks has an AUROC under attack.
    """
    panels = _panels(metrics, entries, detectors)
    if not panels:
        raise ValueError(f"no AUROC under attack of {', '.join(entries)}")
    counts = [len(rows) for rows in panels.values()]
    figure = Figure(figsize=(drawing.PHONE, REST + HEAD * len(counts) + ROW * sum(counts)))
    grid = figure.subplots(len(counts), 1, squeeze=False, sharex=True, gridspec_kw={"height_ratios": counts})
    for axes, (title, rows) in zip(grid[:, 0], panels.items(), strict=True):
        _panel(axes, title, rows)
    grid[-1, 0].set_xlabel("AUROC, score chosen under attack", fontsize=TEXT)
    figure.supylabel(f"training{'; last rows: pixels alone' if detectors else ''}", fontsize=TEXT)
    for colour, words in ((CLEAN, "no attack"), (ATTACKED, "both sides attacked")):
        grid[0, 0].plot([], [], "o", color=colour, markersize=5, label=words)
    figure.legend(loc="outside lower center", ncols=2, fontsize=TEXT, handletextpad=0.2)
    drawing.headline(figure, _takeaway(panels))
    return drawing.described(figure, _words(panels))


def _panels(metrics: list[MetricRow], entries: Sequence[str], detectors: Sequence[str]) -> dict[str, list[_Aurocs]]:
    """Return {set: its rows, from the top} of the sets that were attacked."""
    clean, attacked, trivial = (
        overall((row for row in metrics if row.measured == metric), lambda row: (row.entry, place_of(row).dataset))
        for metric in ("auroc_clean", "auroc_union", "auroc")
    )
    panels: dict[str, list[_Aurocs]] = {}
    for network in entries:
        for (entry, name), row in attacked.items():
            if entry == f"{network}+{BEST}":
                panels.setdefault(name, []).append(_Aurocs(label_of(network), clean[entry, name], row))
    for detector in detectors:
        for (entry, name), row in trivial.items():
            if entry.endswith(f"+{detector}") and name in panels:
                panels[name].append(_Aurocs(label_of(detector), row))
    return panels


def _panel(axes: Axes, title: str, rows: list[_Aurocs]) -> None:
    for height, each in enumerate(reversed(rows)):
        for row, colour, shift in ((each.clean, CLEAN, SHIFT), (each.attacked, ATTACKED, -SHIFT)):
            if row is None:
                continue
            low, high = (row.value if end is None else end for end in (row.low, row.high))
            axes.plot([low, high], [height + shift] * 2, color=colour, linewidth=1.4)
            (mark,) = axes.plot([row.value], [height + shift], "o", color=colour, markersize=5)
            marks.shows(mark, row)
    axes.axvline(CHANCE, linestyle=":", color=drawing.FAINT, linewidth=1.4)
    axes.set_title(label_of(title), fontsize=TEXT)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.6, len(rows) - 0.4), xticks=[0, 0.25, 0.5, 0.75, 1])
    axes.set_yticks(range(len(rows)), [each.name for each in reversed(rows)])
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    axes.tick_params(labelsize=TEXT)


def _takeaway(panels: Mapping[str, list[_Aurocs]]) -> str:
    """Return which trainings keep most of the first set if both sides are attacked, and which keeps least."""
    name, rows = next(iter(panels.items()))
    kept = sorted(((each.attacked.value, each.name) for each in rows if each.attacked), reverse=True)
    words = [f"{training} ({auroc_words(value)})" for value, training in kept]
    most = listed(words[:2] if len(words) > 2 else words[:1])
    least = f", least with {words[-1]}" if len(words) > 1 else ""
    return f"With both sides attacked, the AUROC on {called(name)} is greatest with {most}{least}"


def _words(panels: Mapping[str, list[_Aurocs]]) -> str:
    def one(each: _Aurocs) -> str:
        clean = f"{each.name} {auroc_words(each.clean.value)} without an attack"
        return f"{clean}, {auroc_words(each.attacked.value)} with both sides attacked" if each.attacked else clean

    return ". ".join(f"{called(name)}: {'; '.join(map(one, rows))}" for name, rows in panels.items()) + "."
