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
from touchstone.report import drawing, marks, palette

NAME = "overview"
UNAWARE, AWARE = palette.COLOURS["sky blue"], palette.COLOURS["vermilion"]
WEAKER, STRONGEST, WITHOUT = "no attack, or a weaker one", "the strongest one tried", "without the system"
CHANCE = "chance, of an AUROC"
WIDTH = 4.4  # inches: a phone shows it without scrolling, with text of 11 pixels
ROW, TOP = 0.96, 1.35  # inches of one system, and of the rest
TEXT, LETTERS = 10, 52  # points of the text, and letters of a line
ARROW = {"arrowstyle": "-|>", "color": drawing.FAINT, "shrinkA": 5, "shrinkB": 5}
SEVERE = 0.1  # a fall that is worth a headline


def takeaway(contrasts: list[Contrast]) -> str:
    """Return in one sentence which system loses most to the strongest attack."""
    worst = max(contrasts, key=lambda contrast: contrast.fall)
    if worst.fall < SEVERE:
        return f"No system loses {SEVERE:.0%} or more to the strongest attack"
    before, after = (_shown(part.quantity) for part in (worst.unaware, worst.aware))
    measure = "'s AUROC" if _is_auroc(worst.unaware.quantity) else ""
    return f"{worst.paper}{measure} falls from {before} to {after} under the strongest attack"


def _is_auroc(quantity: Quantity) -> bool:
    return "auroc" in quantity.row.measured


def _shown(quantity: Quantity) -> str:
    """Return a number as its measure is written: an AUROC of .79, a share of 79 %.

    It has more digits if it would be rounded to 0, to 1 or to the AUROC of chance.
    """
    value, is_auroc = quantity.value, _is_auroc(quantity)
    scale, digits, limits = (1, 2, (0.0, 0.5, 1.0)) if is_auroc else (100, 0, (0.0, 1.0))
    others = [limit for limit in limits if not math.isclose(value, limit, abs_tol=1e-9)]
    while any(round(scale * value, digits) == scale * limit for limit in others):
        digits += 1
    return f"{scale * value:.{digits}f}" + ("" if is_auroc else " %")


def overview(contrasts: list[Contrast]) -> Figure:
    """Return one row per system: two dots with 95 % intervals, a line between them, and a tick without the system.

    Args:
        contrasts: at least one.
    """
    figure = Figure(figsize=(WIDTH, TOP + ROW * len(contrasts)))
    axes = figure.subplots()
    for height, contrast in enumerate(reversed(contrasts)):
        _row(axes, height, contrast)
        label = f"{contrast.paper}: {contrast.shows}"
        axes.text(-0.02, height + 0.3, textwrap.fill(label, LETTERS), fontsize=TEXT, va="bottom", linespacing=1.1)
    axes.set(xlim=(-0.03, 1.03), ylim=(-0.35, len(contrasts) - 0.1))
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
    axes.annotate("", (after, height), (before, height), arrowprops=ARROW)
    for part, words, colour, shift in (
        (contrast.unaware, WEAKER, UNAWARE, 0.1),
        (contrast.aware, STRONGEST, AWARE, -0.1),
    ):
        low, high = max(part.quantity.low, 0), min(part.quantity.high, 1)
        axes.plot([low, high], [height + shift] * 2, color=colour, linewidth=1.4, label=f"_{words}")
    (unaware,) = axes.plot([before], [height], "o", color=UNAWARE, markersize=8, label=f"_{WEAKER}")
    marks.shows(unaware, contrast.unaware.quantity.row)
    face = drawing.BACKDROP if contrast.upper_bound else AWARE
    look: Any = {"color": AWARE, "markersize": 8, "markeredgewidth": 1.6, "markerfacecolor": face}
    (aware,) = axes.plot([after], [height], "o", label=f"_{STRONGEST}", **look)
    marks.shows(aware, contrast.aware.quantity.row)
    if contrast.reference:
        look = {"color": drawing.INK, "markersize": 15, "markeredgewidth": 1.6}
        (tick,) = axes.plot([contrast.reference.quantity.value], [height], "|", label=f"_{WITHOUT}", **look)
        marks.shows(tick, contrast.reference.quantity.row)
    _labels(axes, height, contrast.unaware.quantity, contrast.aware.quantity)


def _labels(axes: Axes, height: int, unaware: Quantity, aware: Quantity) -> None:
    """Write both values below their dots; of two that would meet, each away from the other."""
    close = abs(unaware.value - aware.value) < 0.1
    for quantity, opposite, colour in ((unaware, aware, UNAWARE), (aware, unaware, AWARE)):
        value, other = quantity.value, opposite.value
        side = "center" if not close else "left" if value > other or (value == other and colour == AWARE) else "right"
        beside = {"center": 0, "left": 3, "right": -3}[side]
        axes.annotate(
            _shown(quantity),
            (value, height),
            (beside, -12),
            textcoords="offset points",
            ha=side,
            va="top",
            fontsize=TEXT,
        )


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
