"""One colour and line per method through a whole report, distinct for the colour-blind and on dark pages."""

from __future__ import annotations

from collections import Counter
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
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "p", "<", "h")  # 11, so that each of 66 methods has its own look
IN_DISTRIBUTION = "#8a8f98"  # a grey that shows on white and on black
# Populations are not methods, so their colours are duller, and light enough for a dark page.
POPULATIONS = ("#4f74b3", "#a58a2a", "#8b6f8f", "#6b8f6a", "#b5805b", "#7f8fa9", "#c9a227", "#5f9ea0")

_METHODS: ContextVar[dict[str, int]] = ContextVar("methods", default={})  # noqa: B039  (never changed in place)


@contextmanager
def methods(names: Iterable[str], together: Iterable[Iterable[str]] = ()) -> Iterator[None]:
    """Give every method its own colour and line in the block, whichever of them a figure shows.

    Args:
        names: all methods; the first ones get the first colours.
        together: groups of methods that one figure shows. As long as there are enough colours, they differ in colour.
    """
    token = _METHODS.set(_places(list(names), [set(group) for group in together]))
    try:
        yield
    finally:
        _METHODS.reset(token)


def _places(names: list[str], together: list[set[str]]) -> dict[str, int]:
    """Return {name: its place}: of the free places, the first whose colour the fewest neighbours have."""
    places: dict[str, int] = {}
    neighbours = {name: {other for group in together if name in group for other in group} for name in names}
    for name in sorted(neighbours, key=lambda name: -len(neighbours[name])):  # the most neighbours first
        taken = Counter(places[other] % len(COLOURS) for other in neighbours[name] & set(places))
        free = [place for place in range(len(names) + len(COLOURS)) if place not in places.values()]
        places[name] = min(free, key=lambda place: taken[place % len(COLOURS)])
    return places


def line(name: str, shown: Iterable[str]) -> dict[str, Any]:
    """Return the colour, line style and marker of a method, as Axes.plot takes them.

    Args:
        name: the method.
        shown: the methods of the figure; they decide the look of methods that `methods` was not given.
    """
    places = _METHODS.get()
    first = 1 + max(places.values(), default=-1)
    place = places[name] if name in places else first + sorted(set(shown) - set(places)).index(name)
    colours = list(COLOURS.values())
    return {
        "color": colours[place % len(colours)],
        "linestyle": LINES[place // len(colours) % len(LINES)],
        "marker": MARKERS[(place + place // len(colours)) % len(MARKERS)],  # another one if the colour is used again
    }


def population(place: int) -> dict[str, Any]:
    """Return the colour and line style of the n-th population that a figure shows."""
    return {
        "color": POPULATIONS[place % len(POPULATIONS)],
        "linestyle": LINES[place % len(LINES)],
    }
