"""One colour and line per method through a whole report, told apart by the colour-blind and on dark pages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

# Okabe & Ito 2008 without black, which is the ink, and without yellow, which vanishes on white.
COLOURS = {
    "blue": "#0072b2",
    "vermilion": "#d55e00",
    "bluish green": "#009e73",
    "reddish purple": "#cc79a7",
    "sky blue": "#56b4e9",
    "orange": "#e69f00",
}
LINES = ("-", "--", ":", "-.")
MARKERS = ("o", "s", "^", "D", "v", "P")
IN_DISTRIBUTION = "#8a8f98"  # a grey that shows on white and on black
# Populations are no methods: duller than those, and light enough for a dark page.
POPULATIONS = ("#4f74b3", "#a58a2a", "#8b6f8f", "#6b8f6a", "#b5805b", "#7f8fa9", "#c9a227", "#5f9ea0")

_METHODS: ContextVar[tuple[str, ...]] = ContextVar("methods", default=())


@contextmanager
def methods(names: Iterable[str]) -> Iterator[None]:
    """Within it every method has its own colour and line, whichever of them a figure shows."""
    token = _METHODS.set(tuple(dict.fromkeys(names)))
    try:
        yield
    finally:
        _METHODS.reset(token)


def line(name: str, shown: Iterable[str]) -> dict[str, Any]:
    """Return the colour, line style and marker of a method, as Axes.plot takes them.

    shown: the methods of the figure; they alone decide where no report has named its methods.
    """
    known = _METHODS.get()
    order = [*known, *sorted(set(shown) - set(known))]
    place = order.index(name)
    colours = list(COLOURS.values())
    return {
        "color": colours[place % len(colours)],
        "linestyle": LINES[place // len(colours) % len(LINES)],
        "marker": MARKERS[(place + place // len(colours)) % len(MARKERS)],  # where a colour comes again, another one
    }


def population(place: int) -> dict[str, Any]:
    """Return the colour and line style of the n-th population that a figure shows."""
    return {
        "color": POPULATIONS[place % len(POPULATIONS)],
        "linestyle": LINES[place % len(LINES)],
    }
