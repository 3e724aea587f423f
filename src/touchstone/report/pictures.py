"""Figures as a report shows them: drawn once, then written as files and as parts of the page."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable, Mapping
from pathlib import PurePath
from typing import NamedTuple, NotRequired, TypedDict

from markupsafe import Markup, escape
from matplotlib.figure import Figure
from PIL import Image

from touchstone.records.metric_tables import MetricRow
from touchstone.report import drawing, palette
from touchstone.statistics.sanity_checks import Doubts

ON_PAGE = {drawing.INK: "currentColor", drawing.PAPER: "none", drawing.BACKDROP: "var(--card)"}  # colours of figures

COLOURS_ON_PAGE = 32  # of a picture that shows images; its files have more


class Drawing(TypedDict):
    """One figure of the report: the function that draws it, and the files behind it."""

    draw: Callable[[], Figure]
    caption: str
    evaluation: str
    files: list[str]
    component: NotRequired[str]
    methods: NotRequired[list[str]]  # the methods that it shows, which should differ in colour
    settings: NotRequired[str]


class Picture(NamedTuple):
    """A figure that is drawn: its words, its part of the page and its files."""

    name: str
    evaluation: str  # to whose chapter it belongs
    caption: str
    alt: str
    html: Markup
    sources: list[str]  # the files that it was drawn from
    component: str
    settings: str
    doubts: list[str]  # the checks that attacks behind it failed
    svg: bytes
    pdf: bytes
    png: bytes | None

    @property
    def files(self) -> dict[str, bytes]:
        """The figure's own files, by their paths in the report's folder."""
        files = {"svg": self.svg, "pdf": self.pdf} | ({"png": self.png} if self.png else {})
        return {f"figures/{self.name}.{ending}": data for ending, data in files.items()}


def pictures(figures: Mapping[str, Drawing], rows: list[MetricRow], doubts: Doubts) -> tuple[list[Picture], Markup]:
    """Draw every figure, each method in one colour throughout.

    Args:
        figures: {name: what draws it}.
        rows: all metrics rows; their order decides the methods' colours.
        doubts: the checks that attacks failed.

    Returns:
        The pictures in the order of `figures`, and the style sheet that their SVG on the page needs.
    """
    together = [figure.get("methods", []) for figure in figures.values()]
    styles: dict[str, str] = {}
    with drawing.style(), palette.methods(_methods(rows), together):
        drawn = [_picture(name, figure, doubts, rows, styles) for name, figure in figures.items()]
    return drawn, Markup("\n".join(f".{name}{rule}" if name else rule for rule, name in styles.items()))


def _methods(rows: list[MetricRow]) -> list[str]:
    """Return every classifier and detector in the order in which the rows name them."""
    return list(dict.fromkeys(part for row in rows for part in (row.classifier, row.detector) if part))


def _picture(name: str, figure: Drawing, doubts: Doubts, rows: list[MetricRow], styles: dict[str, str]) -> Picture:
    plot = figure["draw"]()
    alt, svg = drawing.description(plot), drawing.svg(plot, name)
    png = drawing.png(plot) if drawing.is_raster(plot) else None
    # Only figures drawn from metrics can be doubted: no check is about images, scores or weights.
    evaluations = {PurePath(file).stem for file in figure["files"] if PurePath(file).parent.name == "metrics"}
    return Picture(
        name=name,
        evaluation=figure["evaluation"],
        caption=figure["caption"] or alt,
        alt=alt,
        html=_image(png, alt) if png else inline_svg(svg.decode(), name, alt, styles),
        sources=figure["files"],
        component=figure.get("component", ""),
        settings=figure.get("settings", ""),
        doubts=doubts.shown(row for row in rows if row.evaluation in evaluations),
        svg=svg,
        pdf=drawing.pdf(plot),
        png=png,
    )


def _image(png: bytes, alt: str) -> Markup:
    """Return a PNG as an image of the page: as WebP in its most frequent colours, which is a third as large."""
    stream, whole = io.BytesIO(), Image.open(io.BytesIO(png)).convert("RGB")
    fewer = whole.quantize(COLOURS_ON_PAGE, dither=Image.Dither.NONE).convert("RGB")
    fewer.save(stream, "webp", lossless=True, quality=100, method=6)
    address = "data:image/webp;base64," + base64.b64encode(stream.getvalue()).decode()
    return Markup('<img src="{}" alt="{}">').format(address, alt)


def inline_svg(svg: str, name: str, alt: str, styles: dict[str, str]) -> Markup:
    """Return the SVG as a part of a page: no prologue, unique ids, the page's ink and paper.

    The page's policy allows one style sheet, so each style attribute becomes a class of it.

    Args:
        svg: the whole file.
        name: the figure's name, which begins each id.
        alt: what the figure shows, in words.
        styles: {rule: class} of the page so far; the rules of this figure are added.
    """
    svg = svg[svg.index("<svg") :]
    for colour, on_page in ON_PAGE.items():
        svg = svg.replace(colour, on_page)
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{name}-", svg)
    svg = re.sub(r"<style[^>]*>(.*?)</style>\s*", lambda sheet: styles.setdefault(sheet[1], ""), svg, flags=re.DOTALL)

    def classed(tag: re.Match[str]) -> str:
        return f'{tag[1]}class="{styles.setdefault(f"{{{tag[2]}}}", f"s{len(styles)}")}"'

    svg = re.sub(r'(<[^<>]*\s)style="([^"]*)"', classed, svg)  # only inside tags: a figure's text may look like one
    return Markup(svg.replace("<svg", f'<svg role="img" aria-label="{escape(alt)}"', 1))
