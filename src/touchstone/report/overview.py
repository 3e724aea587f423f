"""The picture at the head of the report: each system as its paper tests it, and under the strongest attacker."""

from __future__ import annotations

import itertools
import math
import textwrap
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from touchstone.claims.contrasts import Contrast
from touchstone.claims.measurements import Quantity
from touchstone.claims.verdicts import Part, number
from touchstone.messages import listed
from touchstone.report import drawing, marks, palette

NAME = "overview"
UNAWARE, AWARE = palette.COLOURS["sky blue"], palette.COLOURS["vermilion"]
TESTED, STRONGEST = "the paper's attack, or one that ignores the method", "the strongest attacker tried"
WITHOUT = "without the method"
LINE = 12  # points from one line of words to the next
CHANCE = "chance"
WIDTH = 4.4  # inches: a phone shows it without scrolling, with text of 11 pixels
ROW, PANEL, REST = 1.4, 0.75, 1.3  # inches of one system, of a panel's axis, and of title and legend
LONGER = LINE / 72 / ROW  # of a row, for a fourth line of words
TEXT, LETTERS = 10, 52  # points of the text, and letters of a line
ARROW = {"arrowstyle": "-|>", "color": drawing.FAINT, "shrinkA": 5, "shrinkB": 5}
LEAST = 0.001  # what is nearer to 0 or to 1 is shown as a bound
APART = 0.1  # of a row: how far a dot is above or below its middle
LEFT = -0.12  # of the words, in shares of the axis: left of a mark at 0
LOSE, NOTHING, KEEP, UNDECIDED, UNKNOWN, NO_MARK = "lose", "nothing", "keep", "undecided", "unknown", "no mark"


def takeaway(contrasts: list[Contrast]) -> str:
    """Return in one sentence which methods keep half of their gain under the strongest attack, and which do not.

    The gain is counted from the mark without the method, so a method without that mark has none. The whole interval under
    the strongest attack decides. An upper bound says nothing of what is kept.
    """
    words = [
        f"{listed(names)} {verb}{'s' * (len(names) == 1)} {what.format('its' if len(names) == 1 else 'their')}"
        for fate, verb, what in (
            (LOSE, "lose", "more than half of {} gain"),
            (KEEP, "keep", "half or more of {} gain"),
            (NOTHING, "gain", "nothing even as the paper tests it"),
        )
        if (names := _named(contrasts, fate))
    ]
    if undecided := _named(contrasts, UNDECIDED):
        words.append(f"of {listed(undecided)} the intervals leave it open")
    if unknown := _named(contrasts, UNKNOWN):
        words.append(f"of {listed(unknown)} only an upper bound is known")
    if unmarked := _named(contrasts, NO_MARK):
        words.append(f"of {listed(unmarked)} it is not known what is left without the method")
    return f"Under the strongest attack tried, {'; '.join(words)}"


def _named(contrasts: list[Contrast], fate: str) -> list[str]:
    """Return the systems of a fate. A paper's name would speak for what is not drawn, too."""
    return list(dict.fromkeys(each.system for each in contrasts if _fate(each) == fate))


def _fate(contrast: Contrast) -> str:
    if contrast.reference is None:
        return NO_MARK
    without = contrast.reference.quantity.value
    before, after = contrast.unaware.quantity, contrast.aware.quantity
    if before.high <= without:
        return NOTHING
    if before.low > without and after.high < (before.low + without) / 2:  # the least gain that it may have
        return LOSE
    if before.low <= without or after.low < (before.high + without) / 2:
        return UNDECIDED
    return UNKNOWN if contrast.upper_bound else KEEP


def _is_auroc(quantity: Quantity) -> bool:
    return "auroc" in quantity.row.measured


def shown(quantity: Quantity) -> str:
    """Return a number as its measure is written: an AUROC of .79, a share of 79 %.

    It has more digits if it would be rounded to 0, to 1 or to the AUROC of chance. Beyond 0.001 or 0.999 it is a bound.
    """
    value, is_auroc = quantity.value, _is_auroc(quantity)
    if 0 < value < LEAST or 1 - LEAST < value < 1:
        sign, bound = ("<", LEAST) if value < LEAST else (">", 1 - LEAST)
        return f"{sign} {bound:.3f}".replace("0.", ".") if is_auroc else f"{sign} {bound:.1%}".replace("%", " %")
    scale, digits, limits = (1, 2, (0.0, 0.5, 1.0)) if is_auroc else (100, 0, (0.0, 1.0))
    others = [limit for limit in limits if not math.isclose(value, limit, abs_tol=1e-9)]
    while any(round(scale * value, digits) == scale * limit for limit in others):
        digits += 1
    return _plain(value, digits) if is_auroc else f"{scale * value:.{digits}f} %"


def _plain(value: float, digits: int) -> str:
    """Return an AUROC without the zero before its point."""
    return f"{value:.{digits}f}".removeprefix("0") if 0 < value < 1 else f"{value:.0f}"


def overview(contrasts: list[Contrast]) -> Figure:
    """Return one row per system, shares and AUROCs in panels of their own.

    A row has two dots with 95 % intervals, an arrow between them, and a tick without the method. The words below it say what
    each mark is.

    Args:
        contrasts: at least one.
    """
    groups = [[each for each in contrasts if _is_auroc(each.unaware.quantity) is auroc] for auroc in (False, True)]
    groups = [group for group in groups if group]
    heights = [PANEL + ROW * _heights(group)[-1] for group in groups]
    figure = Figure(figsize=(WIDTH, REST + sum(heights)))
    panels = figure.subplots(len(groups), squeeze=False, gridspec_kw={"height_ratios": heights})[:, 0]
    for axes, group in zip(panels, groups, strict=True):
        _panel(axes, group)
    drawing.headline(figure, takeaway(contrasts), LETTERS - 8)
    axes = panels[0]
    for mark, colour, words in (("o", UNAWARE, TESTED), ("o", AWARE, STRONGEST), ("|", drawing.INK, WITHOUT)):
        axes.plot([], [], marker=mark, color=colour, linestyle="none", markersize=8, label=words)
    if any(contrast.upper_bound for contrast in contrasts):
        axes.plot([], [], marker="o", color=AWARE, markerfacecolor="none", linestyle="none", label="upper bound only")
    figure.legend(loc="outside lower center", fontsize=TEXT, handletextpad=0.2)
    return drawing.described(figure, _words(contrasts))


def _panel(axes: Axes, group: list[Contrast]) -> None:
    """Draw the systems of one measure, the first at the top."""
    heights = _heights(group)
    for height, contrast in zip(heights, reversed(group), strict=True):
        _row(axes, height, contrast)
        label = f"{contrast.system}: {contrast.shows}"
        axes.text(LEFT, height + 0.165, textwrap.fill(label, LETTERS), fontsize=TEXT, va="bottom", linespacing=1.1)
    axes.set(xlim=(-0.03, 1.03), ylim=(0.35, heights[-1] + 0.45), yticks=[], xticks=[0, 0.25, 0.5, 0.75, 1])
    if _is_auroc(group[0].unaware.quantity):
        for height in heights:
            axes.plot([0.5] * 2, [height - 0.2, height + 0.2], ":", color=drawing.FAINT, linewidth=2.2)
        labels = ["0", ".25", f".5 {CHANCE}", ".75", "1"]
        axes.set_xlabel("AUROC", fontsize=TEXT)
    else:
        labels = [f"{share} %" for share in (0, 25, 50, 75, 100)]
        axes.set_xlabel("share of attacked images", fontsize=TEXT)
    axes.set_xticks(axes.get_xticks(), labels)
    axes.tick_params(axis="x", labelsize=TEXT)
    axes.spines["left"].set_visible(False)


def _heights(group: list[Contrast]) -> list[float]:
    """Return how high the middle of each row is, the last row first; a fourth line of words takes space below it."""
    return list(itertools.accumulate(1 + LONGER * bool(each.also) for each in reversed(group)))


def _row(axes: Axes, height: float, contrast: Contrast) -> None:
    before, after = (part.quantity.value for part in (contrast.unaware, contrast.aware))
    axes.annotate("", (after, height - APART), (before, height + APART), arrowprops=ARROW)
    for part, words, colour, shift in (
        (contrast.unaware, TESTED, UNAWARE, APART),
        (contrast.aware, STRONGEST, AWARE, -APART),
    ):
        low, high = max(part.quantity.low, 0), min(part.quantity.high, 1)
        axes.plot([low, high], [height + shift] * 2, color=colour, linewidth=1.4, label=f"_{words}")
    (unaware,) = axes.plot([before], [height + APART], "o", color=UNAWARE, markersize=8, label=f"_{TESTED}")
    marks.shows(unaware, contrast.unaware.quantity.row)
    face = drawing.BACKDROP if contrast.upper_bound else AWARE
    look: Any = {"color": AWARE, "markersize": 8, "markeredgewidth": 1.6, "markerfacecolor": face}
    (aware,) = axes.plot([after], [height - APART], "o", label=f"_{STRONGEST}", **look)
    marks.shows(aware, contrast.aware.quantity.row)
    if contrast.reference:
        look = {"color": drawing.INK, "markersize": 15, "markeredgewidth": 1.6}
        (tick,) = axes.plot([contrast.reference.quantity.value], [height], "|", label=f"_{WITHOUT}", **look)
        marks.shows(tick, contrast.reference.quantity.row)
    _attackers(axes, height, contrast)


def _attackers(axes: Axes, height: float, contrast: Contrast) -> None:
    """Write below the dots, each after a mark of its colour, the values and what they are under."""
    place = 0
    for part, colour, mark in (
        (contrast.unaware, UNAWARE, "\N{BLACK CIRCLE}"),
        (contrast.aware, AWARE, "\N{BLACK CIRCLE}"),
        (contrast.reference, drawing.INK, "|"),
        (contrast.also, drawing.INK, "+"),
    ):
        words = f"{shown(part.quantity)}: {part.name.split(':')[0]}" if part else ""
        for turn, line in enumerate(textwrap.wrap(words, LETTERS - 2)):
            texts = (
                ((line, 12, drawing.INK),)
                if turn
                else ((mark, 0 if mark != "|" else 3, colour), (line, 12, drawing.INK))
            )
            for text, across, ink in texts:
                axes.annotate(text, (LEFT, height - 0.19), (across, -place * LINE), textcoords="offset points",
                              va="top", fontsize=TEXT, color=ink, annotation_clip=False)  # fmt: skip
            place += 1


def _words(contrasts: list[Contrast]) -> str:
    def one(part: Part) -> str:
        return f"{number(part)} ({part.name.split(':')[0]})"

    rows = (
        f"{each.system}, {each.shows}: {one(each.unaware)} {TESTED}, {one(each.aware)} against {STRONGEST}"
        + (f", {one(each.reference)} {WITHOUT}" if each.reference else "")
        + (f"; {one(each.also)}" if each.also else "")
        for each in contrasts
    )
    return f"{takeaway(contrasts)}. {'; '.join(rows)}."
