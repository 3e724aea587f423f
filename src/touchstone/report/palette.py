"""One colour and line per method through a whole report, told apart by the colour-blind and on dark pages."""

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
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "p", "<", "h")  # 11, so that 66 methods have each a look of its own
IN_DISTRIBUTION = "#8a8f98"  # a grey that shows on white and on black
# Populations are no methods: duller than those, and light enough for a dark page.
POPULATIONS = ("#4f74b3", "#a58a2a", "#8b6f8f", "#6b8f6a", "#b5805b", "#7f8fa9", "#c9a227", "#5f9ea0")

_METHODS: ContextVar[dict[str, int]] = ContextVar("methods", default={})  # noqa: B039  (never changed in place)


@contextmanager
def methods(names: Iterable[str], together: Iterable[Iterable[str]] = ()) -> Iterator[None]:
    """Within it every method has its own colour and line, whichever of them a figure shows.

    together: groups of methods that one figure shows; they differ in colour, not in line alone, where colours suffice.
    """
    token = _METHODS.set(_places(list(names), [set(group) for group in together]))
    try:
        yield
    finally:
        _METHODS.reset(token)


def _places(names: list[str], together: list[set[str]]) -> dict[str, int]:
    """Return a place of its own per name, of those still free the first whose colour fewest neighbours have."""
    places: dict[str, int] = {}
    beside = {name: {other for group in together if name in group for other in group} for name in names}
    for name in sorted(beside, key=lambda name: -len(beside[name])):  # the most neighbours first, else as they come
        taken = Counter(places[other] % len(COLOURS) for other in beside[name] & set(places))
        free = [place for place in range(len(names) + len(COLOURS)) if place not in places.values()]
        places[name] = min(free, key=lambda place: taken[place % len(COLOURS)])
    return places


def line(name: str, shown: Iterable[str]) -> dict[str, Any]:
    """Return the colour, line style and marker of a method, as Axes.plot takes them.

    shown: the methods of the figure; they alone decide where no report has named its methods.
    """
    known = _METHODS.get()
    first = 1 + max(known.values(), default=-1)
    place = known[name] if name in known else first + sorted(set(shown) - set(known)).index(name)
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
