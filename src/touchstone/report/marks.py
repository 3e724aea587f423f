"""What the parts of a figure stand for, so that a page can show it, trace it and hide a series."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from matplotlib.artist import Artist
from matplotlib.figure import Figure

from touchstone.records.metric_tables import MetricRow


@dataclass
class Marks:
    """The parts of one figure, by the ids that they have in its SVG.

    Attributes:
        rows: {id: the rows that its points show, in their order}.
        series: {id: the name of the curve or group that the part belongs to}.
        names: {id: the name that this text writes}, an entry of a legend or a direct label.
    """

    rows: dict[str, list[MetricRow]] = field(default_factory=dict)
    series: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)

    @property
    def groups(self) -> dict[str, dict[str, str]]:
        """The attributes of parts by which the page's script hides a series, by id."""
        places = {name: str(place) for place, name in enumerate(dict.fromkeys(self.names.values()))}
        return {part: {"data-series": places[name]} for part, name in self.series.items()} | {
            part: {"data-toggle": places[name]} for part, name in self.names.items()
        }


_MARKS: ContextVar[Marks | None] = ContextVar("marks", default=None)


@contextmanager
def collected() -> Iterator[Marks]:
    """Collect what `shows` is called with while one figure is drawn."""
    marks = Marks()
    token = _MARKS.set(marks)
    try:
        yield marks
    finally:
        _MARKS.reset(token)


def shows(artist: Artist, *rows: MetricRow) -> None:
    """Record which rows the points of an artist show, in their order. Outside of `collected` this does nothing."""
    marks = _MARKS.get()
    if marks is not None:
        name = f"mark{len(marks.rows)}"
        artist.set_gid(name)
        marks.rows[name] = list(rows)


def name_series(figure: Figure, marks: Marks) -> None:
    """Find the parts of a figure that share a label, and the texts that name them.

    A part whose label begins with an underscore belongs to the name behind it, but is in no legend.

    Args:
        figure: drawn.
        marks: of the figure; series and names are added.
    """
    legends = [*figure.legends, *(legend for axes in figure.axes if (legend := axes.get_legend()))]
    texts = [text for legend in legends for text in legend.get_texts()]
    texts += [text for axes in figure.axes for text in axes.texts]
    parts = _parts(figure)
    named = [text for text in texts if text.get_text() in parts]
    if len({text.get_text() for text in named}) < 2:  # nothing to choose from
        return
    for place, text in enumerate(named):
        text.set_gid(f"name{place}")
        marks.names[f"name{place}"] = text.get_text()
    for name in dict.fromkeys(marks.names.values()):
        for artist in parts[name]:
            if artist.get_gid() is None:
                artist.set_gid(f"part{len(marks.series)}")
            marks.series[str(artist.get_gid())] = name


def _parts(figure: Figure) -> dict[str, list[Artist]]:
    """Return {label: the parts of all panels that have it}."""
    parts: dict[str, list[Artist]] = {}
    for axes in figure.axes:
        for artist in (*axes.lines, *axes.collections, *axes.patches):
            parts.setdefault(str(artist.get_label()).removeprefix("_"), []).append(artist)
        for container in axes.containers:
            parts.setdefault(str(container.get_label()).removeprefix("_"), []).extend(container.get_children())
    return parts
