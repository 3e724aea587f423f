"""The picture at the head of the report: what each system withstands, and what is left under the strongest attack."""

from __future__ import annotations

import math
import textwrap
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from touchstone.claims.contrasts import Contrast
from touchstone.claims.measurements import Quantity
from touchstone.claims.verdicts import Part, number
from touchstone.messages import listed
from touchstone.report import drawing, marks, palette

NAME = "overview"
UNAWARE, AWARE = palette.COLOURS["sky blue"], palette.COLOURS["vermilion"]
WEAKER, STRONGEST, WITHOUT = "no attack, or a weaker one", "the strongest one tried", "without the system"
LINE = 13  # points from one line of words to the next
CHANCE = "chance, of an AUROC"
WIDTH = 4.4  # inches: a phone shows it without scrolling, with text of 11 pixels
ROW, TOP = 1.15, 1.7  # inches of one system, and of the rest
TEXT, LETTERS = 10, 52  # points of the text, and letters of a line
ARROW = {"arrowstyle": "-|>", "color": drawing.FAINT, "shrinkA": 5, "shrinkB": 5}
LEAST = 0.001  # what is nearer to 0 or to 1 is shown as a bound
APART = 0.1  # of a row: how far a dot is above or below its middle
LEFT = -0.02  # of the words, in shares of the axis


def takeaway(contrasts: list[Contrast]) -> str:
    """Return in one sentence which systems lose more than half under the strongest attack, and which do not.

    An AUROC counts from chance on: half of 0.9 is lost at 0.7. An upper bound says nothing of what is kept.
    """
    fallen = [each.paper for each in contrasts if not _keeps_half(each)]
    kept = [each.paper for each in contrasts if _keeps_half(each) and not each.upper_bound]
    unknown = [each.paper for each in contrasts if _keeps_half(each) and each.upper_bound]
    parts = (
        (fallen, f"{listed(fallen)} lose{'s' * (len(fallen) == 1)} more than half"),
        (kept, f"{listed(kept)} keep{'s' * (len(kept) == 1)} half or more"),
        (unknown, f"of {listed(unknown)} only an upper bound is known"),
    )
    first, *others = (words for papers, words in parts if papers)
    return "; ".join([f"{first[0].upper()}{first[1:]} under the strongest attack", *others])


def _keeps_half(contrast: Contrast) -> bool:
    chance = 0.5 if _is_auroc(contrast.unaware.quantity) else 0.0
    before, after = (part.quantity.value - chance for part in (contrast.unaware, contrast.aware))
    return after >= before / 2


def _is_auroc(quantity: Quantity) -> bool:
    return "auroc" in quantity.row.measured


def _shown(quantity: Quantity) -> str:
    """Return a number as its measure is written: an AUROC of .79, a share of 79 %.

    It has more digits if it would be rounded to 0, to 1 or to the AUROC of chance. Beyond 0.001 or 0.999 it is a bound.
    """
    value, is_auroc = quantity.value, _is_auroc(quantity)
    if 0 < value < LEAST or 1 - LEAST < value < 1:
        sign, bound = ("<", LEAST) if value < LEAST else (">", 1 - LEAST)
        return f"{sign} {bound:.3f}" if is_auroc else f"{sign} {bound:.1%}".replace("%", " %")
    scale, digits, limits = (1, 2, (0.0, 0.5, 1.0)) if is_auroc else (100, 0, (0.0, 1.0))
    others = [limit for limit in limits if not math.isclose(value, limit, abs_tol=1e-9)]
    while any(round(scale * value, digits) == scale * limit for limit in others):
        digits += 1
    return f"{scale * value:.{digits}f}" + ("" if is_auroc else " %")


def overview(contrasts: list[Contrast]) -> Figure:
    """Return one row per system: two dots with 95 % intervals, an arrow between them, and a tick without the system.

    Below each row stands what either attacker does.

    Args:
        contrasts: at least one.
    """
    figure = Figure(figsize=(WIDTH, TOP + ROW * len(contrasts)))
    axes = figure.subplots()
    for height, contrast in enumerate(reversed(contrasts)):
        _row(axes, height, contrast)
        label = f"{contrast.paper}: {contrast.shows}"
        axes.text(LEFT, height + 0.19, textwrap.fill(label, LETTERS), fontsize=TEXT, va="bottom", linespacing=1.1)
    axes.set(xlim=(-0.03, 1.03), ylim=(-0.6, len(contrasts) - 0.5))
    axes.xaxis.set_major_formatter(PercentFormatter(1))
    axes.set_yticks([])
    axes.tick_params(axis="x", labelsize=TEXT)
    axes.spines["left"].set_visible(False)
    drawing.headline(figure, takeaway(contrasts), LETTERS - 8)
    for mark, colour, words in (("o", UNAWARE, WEAKER), ("o", AWARE, STRONGEST), ("|", drawing.INK, WITHOUT)):
        axes.plot([], [], marker=mark, color=colour, linestyle="none", markersize=8, label=words)
    if any(_is_auroc(contrast.unaware.quantity) for contrast in contrasts):
        axes.plot([], [], ":", color=drawing.FAINT, linewidth=2.2, label=CHANCE)
    if any(contrast.upper_bound for contrast in contrasts):
        axes.plot([], [], marker="o", color=AWARE, markerfacecolor="none", linestyle="none", label="upper bound only")
    figure.legend(loc="outside lower center", ncols=2, fontsize=TEXT, handletextpad=0.2, columnspacing=1.2)
    return drawing.described(figure, _words(contrasts))


def _row(axes: Axes, height: int, contrast: Contrast) -> None:
    before, after = (part.quantity.value for part in (contrast.unaware, contrast.aware))
    if _is_auroc(contrast.unaware.quantity):
        axes.plot([0.5] * 2, [height - 0.2, height + 0.2], ":", color=drawing.FAINT, linewidth=2.2, label=f"_{CHANCE}")
    axes.annotate("", (after, height - APART), (before, height + APART), arrowprops=ARROW)
    for part, words, colour, shift in (
        (contrast.unaware, WEAKER, UNAWARE, APART),
        (contrast.aware, STRONGEST, AWARE, -APART),
    ):
        low, high = max(part.quantity.low, 0), min(part.quantity.high, 1)
        axes.plot([low, high], [height + shift] * 2, color=colour, linewidth=1.4, label=f"_{words}")
    (unaware,) = axes.plot([before], [height + APART], "o", color=UNAWARE, markersize=8, label=f"_{WEAKER}")
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


def _attackers(axes: Axes, height: int, contrast: Contrast) -> None:
    """Write below the dots, each after a dot of its colour, both values and what either attacker does."""
    place = 0
    for part, colour in ((contrast.unaware, UNAWARE), (contrast.aware, AWARE)):
        words = f"{_shown(part.quantity)}: {part.name.split(':')[0]}"
        for turn, line in enumerate(textwrap.wrap(words, LETTERS - 2)):
            texts = ((line, 12, drawing.INK),) if turn else (("\N{BLACK CIRCLE}", 0, colour), (line, 12, drawing.INK))
            for text, across, ink in texts:
                axes.annotate(text, (LEFT, height - 0.19), (across, -place * LINE), textcoords="offset points",
                              va="top", fontsize=TEXT, color=ink)  # fmt: skip
            place += 1


def _words(contrasts: list[Contrast]) -> str:
    def one(part: Part) -> str:
        return f"{number(part)} if the attacker {part.name.split(':')[0]}"

    def without(part: Part | None) -> str:
        return f", {number(part)} {part.name.split(':')[0]}" if part else ""

    rows = (
        f"{each.paper}, {each.shows}: {one(each.unaware)}, {one(each.aware)}{without(each.reference)}"
        for each in contrasts
    )
    return f"{takeaway(contrasts)}. {'; '.join(rows)}."
