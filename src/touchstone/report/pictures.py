"""Figures as a report shows them: drawn once, then written as files and as parts of the page."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import PurePath
from typing import NamedTuple, NotRequired, TypedDict

from markupsafe import Markup
from matplotlib.figure import Figure

from touchstone.evaluations.statistics.sanity_checks import Doubts
from touchstone.records.metric_tables import MetricRow
from touchstone.report import drawing, marks, names, palette, rasters
from touchstone.report.inline_svg import inline_svg

NARROW = 330  # points: 440 pixels
SMALL = 7  # points of text
HEADLINE = {drawing.HEADLINE: {"data-headline": ""}}  # so that a narrow screen shows it once


class Drawing(TypedDict):
    """One figure of the report: the function that draws it, and the files behind it."""

    draw: Callable[[], Figure]
    caption: str
    evaluation: str
    files: list[str]
    component: str
    methods: NotRequired[list[str]]  # the methods that it shows, which should differ in colour
    settings: NotRequired[str]
    incomplete: NotRequired[bool]  # some of what it shows was left out; if nothing is left to draw, so is the figure


class Picture(NamedTuple):
    """A figure that is drawn: its words, its part of the page and its files."""

    name: str
    evaluation: str  # to whose chapter it belongs
    caption: str
    alt: str
    title: str  # its takeaway, which a narrow screen shows above it
    html: Markup
    sources: list[str]  # the files that it was drawn from
    component: str
    settings: str
    doubts: list[str]  # each an attack behind the figure and the checks that it failed
    lines: list[int]  # of the rows that its marks show
    svg: bytes
    pdf: bytes | None
    png: bytes | None

    @property
    def dense(self) -> bool:
        """Whether some of its text is small, so that a narrow screen has to show it wider than other figures."""
        return any(float(size) < SMALL for size in re.findall(rb"font-size:([\d.]+)px", self.svg))

    @property
    def narrow(self) -> bool:
        """Whether a phone shows it whole."""
        width = re.search(rb'width="([\d.]+)pt"', self.svg)
        return width is not None and float(width[1]) <= NARROW

    @property
    def files(self) -> dict[str, bytes]:
        """The figure's own files, by their paths in the report's folder."""
        files = {"svg": self.svg, "pdf": self.pdf, "png": self.png}
        return {f"figures/{self.name}.{ending}": data for ending, data in files.items() if data}


def pictures(
    figures: Mapping[str, Drawing],
    rows: list[MetricRow],
    doubts: Doubts,
    pdf: bool = True,
    words: Mapping[str, str] | None = None,
) -> tuple[list[Picture], Markup]:
    """Draw every figure, each method in one colour throughout.

    Args:
        figures: {name: what draws it}.
        rows: all metrics rows; their order decides the methods' colours.
        doubts: the checks that attacks failed.
        pdf: whether to draw each figure as PDF, too.
        words: {entry: what people call it}.

    Returns:
        The pictures in the order of `figures`, without those that cannot be drawn from what was left, and the style sheet
        that their SVG on the page needs.
    """
    together = [figure.get("methods", []) for figure in figures.values()]
    styles: dict[str, str] = {}
    with drawing.style(), palette.methods(_methods(rows), together), names.words(words or {}):
        places = {_quantity(row): row.line for row in rows}
        drawn: list[Picture] = []
        for name, figure in figures.items():
            try:
                drawn.append(_picture(name, figure, doubts, rows, places, styles, pdf))
            except (ValueError, LookupError):
                if not figure.get("incomplete"):
                    raise
    return drawn, Markup("\n".join(f".{name}{rule}" if name else rule for rule, name in styles.items()))


def _methods(rows: list[MetricRow]) -> list[str]:
    """Return every classifier and detector in the order in which the rows name them."""
    return list(dict.fromkeys(part for row in rows for part in (row.classifier, row.detector) if part))


def _quantity(row: MetricRow) -> tuple[object, ...]:
    return row.evaluation, row.entry, row.examples, row.metric, row.seed


def _picture(
    name: str,
    figure: Drawing,
    doubts: Doubts,
    rows: list[MetricRow],
    places: Mapping[tuple[object, ...], int],
    styles: dict[str, str],
    with_pdf: bool,
) -> Picture:
    alt, title, svg, pdf, png, parts = _drawn(name, figure["draw"], with_pdf)
    lines = {part: [places.get(_quantity(row)) for row in own] for part, own in parts.rows.items()}
    shown = [row for own in parts.rows.values() for row in own]
    # Only figures drawn from metrics can be doubted: no check is about images, scores or weights.
    evaluations = {PurePath(file).stem for file in figure["files"] if PurePath(file).parent.name == "metrics"}
    return Picture(
        name=name,
        evaluation=figure["evaluation"],
        caption=figure["caption"] or alt,
        alt=alt,
        title=title,
        html=_image(png, alt) if png else inline_svg(svg.decode(), name, alt, styles, lines, parts.groups | HEADLINE),
        sources=figure["files"],
        component=figure["component"],
        settings=figure.get("settings", ""),
        doubts=doubts.shown(shown or (row for row in rows if row.evaluation in evaluations)),
        lines=[] if png else [line for own in lines.values() for line in own if line is not None],
        svg=svg,
        pdf=pdf,
        png=png,
    )


class _Drawn(NamedTuple):
    alt: str
    title: str
    svg: bytes
    pdf: bytes | None
    png: bytes | None
    parts: marks.Marks


def _drawn(name: str, draw: Callable[[], Figure], with_pdf: bool) -> _Drawn:
    with marks.collected() as parts:
        plot = draw()
    marks.name_series(plot, parts)
    png = drawing.png(plot) if drawing.is_raster(plot) else None
    svg = drawing.svg(plot, name)
    plot.set_layout_engine("none")  # the parts stay where they are; finding their places takes as long as drawing them
    pdf = drawing.pdf(plot) if with_pdf else None
    return _Drawn(drawing.description(plot), drawing.takeaway(plot), svg, pdf, png, parts)


def _image(png: bytes, alt: str) -> Markup:
    return Markup('<img src="{}" alt="{}">').format(rasters.address(png), alt)
