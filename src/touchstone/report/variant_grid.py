"""The picture of how far a verdict carries: a row for the claim, and below it a row for each variant."""

from __future__ import annotations

import math
import textwrap
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from touchstone.claims.variants import DID_NOT_LEARN, OPPOSITE, TURNS, counts
from touchstone.claims.verdicts import UP, Part, Verdict, number, required
from touchstone.claims.words import FAILS, HOLDS, NOT_RUN
from touchstone.report import drawing, marks, palette

SIDES = {HOLDS: palette.COLOURS["blue"], FAILS: palette.COLOURS["vermilion"]}  # what turned has the other colour
ROW, REST = 0.44, 1.6  # inches of a row, and of all else
LETTERS = 16  # of a line of what a variant changes
CAPTION = (
    "The claim as it was judged (top) and in variants of the experiment, one change each: the same criterion, attack "
    "and test images. The dashed line is the bound. A variant is one network of each kind: its line is a 95 % interval "
    "with the variance of its images, and of seeds that of the claim itself. What did not learn does not count."
)
UNITS: dict[str, tuple[float, str]] = {"fraction": (100, "%"), "difference of fractions": (100, "points")}


def name_of(claim: str) -> str:
    """Return the name of the picture of a claim."""
    return f"variants_{claim.lower().replace('-', '_')}"


def variant_grid(verdict: Verdict) -> Figure:
    """Return a row for the claim itself, then a row for each variant: its number with its interval, in the word's colour.

    Args:
        verdict: on a claim that was tried in variants.

    Raises:
        ValueError: nothing was measured.
    """
    itself = next((part for part in verdict.parts if not part.breaks and part.bound is not None), None)
    rows = [("as it was judged", verdict.word, itself)]
    rows += [(one.changed, one.word, one.part) for one in verdict.variants]
    shown = [part for _, _, part in rows if part is not None]
    if not shown:
        raise ValueError(f"no number of {verdict.claim.id} was measured")
    labels = [f"{label}{_networks(part)}" if place == 0 else label for place, (label, _, part) in enumerate(rows)]
    labels = [textwrap.fill(label, LETTERS) for label in labels]
    figure, (axes,) = drawing.panels(1, columns=1, height=REST + ROW * len(rows))
    scale, unit = UNITS.get(shown[0].quantity.unit, (1, ""))
    colours = SIDES | {TURNS: SIDES.get(OPPOSITE.get(verdict.word, ""), drawing.FAINT)}
    for height, (_, word, part) in zip(range(len(rows) - 1, -1, -1), rows, strict=True):
        _row(axes, height, word, part, scale, colours.get(word, drawing.FAINT))
    _bound(axes, shown[0], scale)
    axes.axhline(len(rows) - 1.5, color=drawing.FAINT, linewidth=0.8)
    axes.set_yticks(range(len(rows)), labels[::-1])
    axes.set(ylim=(-0.6, len(rows) - 0.4), xlabel=" ".join(filter(None, (shown[0].title, f"({unit})" if unit else ""))))
    axes.grid(visible=False, axis="y")
    axes.xaxis.set_major_locator(MaxNLocator(3))
    axes.tick_params(axis="y", length=0)
    drawing.headline(figure, f"In variants of the experiment, one change each: {counts(verdict.variants)}")
    return drawing.described(figure, _words(verdict, itself))


def _row(axes: Axes, height: int, word: str, part: Part | None, scale: float, colour: str) -> None:
    """Draw one number with its interval, and write its word at the right."""
    if part is not None:
        learned = word not in (DID_NOT_LEARN, NOT_RUN)
        low, high = part.quantity.low, part.quantity.high
        if learned and math.isfinite(low) and math.isfinite(high):
            axes.plot([scale * low, scale * high], [height] * 2, color=colour, linewidth=2.2, solid_capstyle="butt")
        look: Any = {"color": colour, "markersize": 8, "markerfacecolor": colour if learned else drawing.BACKDROP}
        (dot,) = axes.plot([scale * part.quantity.value], [height], "o", **look)
        marks.shows(dot, part.quantity.row)
    axes.annotate(
        word, (1.0, height), (8, 0), xycoords=axes.get_yaxis_transform(), textcoords="offset points", va="center",
        color=drawing.INK if colour == drawing.FAINT else colour, fontsize=10, annotation_clip=False,
    )  # fmt: skip


def _bound(axes: Axes, part: Part, scale: float) -> None:
    """Draw the bound, and shade the claim's side of it."""
    bound, comparison = part.bound, part.condition.comparison
    ends = bound if isinstance(bound, tuple) else (bound, bound)
    least, most = (None if end is None else scale * end for end in ends)
    if least is None or most is None:
        return
    for end in {least, most}:
        axes.axvline(end, color=drawing.INK, linestyle="--", linewidth=1)
    low, high = axes.get_xlim()
    pad = 0.04 * (max(high, most) - min(low, least))
    axes.set_xlim(min(low, least - pad), max(high, most + pad))
    left, right = axes.get_xlim()
    side = (least, most) if least != most else (least, right) if comparison in UP else (left, least)
    axes.axvspan(*side, color=SIDES[HOLDS], alpha=0.07, linewidth=0)
    axes.annotate(
        required(part), (least, 1.0), (0, 2), xycoords=axes.get_xaxis_transform(), textcoords="offset points",
        ha="center", va="bottom", fontsize=10, annotation_clip=False,
    )  # fmt: skip


def _networks(part: Part | None) -> str:
    return f" ({part.counted})" if part is not None and part.seeds else ""


def _words(verdict: Verdict, itself: Part | None) -> str:
    """Return what the picture shows for those who cannot see it."""
    every = [
        ("as it was judged", verdict.word, itself),
        *((one.changed, one.word, one.part) for one in verdict.variants),
    ]
    rows = (f"{what}: {word}, {number(part) if part else 'not measured'}" for what, word, part in every)
    return f"The claim in variants: {counts(verdict.variants)}. {'; '.join(rows)}."
