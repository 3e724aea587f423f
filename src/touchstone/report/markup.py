"""Pieces of the page as HTML: numbers, names, links to claims, packed parts, intervals against their criteria."""

from __future__ import annotations

import base64
import hashlib
import math
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from touchstone.report import packing
from touchstone.report.tables import Number

if TYPE_CHECKING:
    from touchstone.report.claim_table import ClaimNumber

WEB_ADDRESS = re.compile(r"https?://[^\s\x00-\x20\x7f-\xa0\\]+", re.IGNORECASE)
WIDTH, HEIGHT = 180, 24  # of an interval, in pixels
MARGIN = 0.12  # beyond the outermost of bound and interval, as a share of the distance between them


def number(n: Number | None, name: str = "") -> Markup:
    """Return a number as a button that opens where it came from; a dash for None.

    Args:
        n: the number.
        name: what it is, for readers who hear the page.
    """
    if n is None:
        return Markup('<span class="none">–</span>')
    label = f"{name}: {n.text} {n.interval}{', failed a check' if n.doubt else ''}"
    parts = [
        Markup('<button type="button" class="number{}"{}>').format(
            " best" if n.best else "", Markup(' aria-label="{}"').format(label) if name else ""
        ),
        Markup('<data value="{}" data-row="{}">{}</data>').format(n.value, n.line, n.text),
        Markup(" <small>{}</small>").format(n.interval) if n.interval else "",
        Markup(' <small class="label">{}</small>').format(breakable(n.label)) if n.label else "",
        Markup(' <small class="doubt">⚠ failed a check</small>') if n.doubt else "",
        Markup("</button>"),
    ]
    return Markup("").join(parts)


def breakable(text: str) -> Markup:
    """Return a name that may wrap after its slashes, pluses and underscores."""
    return Markup(re.sub(r"([/+_])", r"\1<wbr>", str(escape(text))))


def linked(text: str, claims: Iterable[str]) -> Markup:
    """Return a text in which the id of each of these claims leads to its line."""
    ids = "|".join(map(re.escape, claims)) or r"\b\B"  # which nothing matches
    return Markup(re.sub(rf"\b({ids})\b", r'<a href="#claim-\1">\1</a>', str(escape(text))))


def is_web_address(address: str | None) -> bool:
    """Return whether a browser would open an address as a page, so that it is no code."""
    return bool(address and WEB_ADDRESS.fullmatch(address))


def web_link(address: str, text: str = "") -> Markup:
    """Return a text that leads to an address on the web; the text alone for any other address, which may be code.

    Args:
        address: as a paper's file has it.
        text: to be shown; the address itself if it is empty.
    """
    text = text or address
    return Markup('<a href="{}">{}</a>').format(address, text) if is_web_address(address) else escape(text)


def packed(part: str) -> Markup:
    """Return a part of the page that is unpacked when it is unfolded."""
    return Markup('<script type="text/plain" class="packed">{}</script>').format(packing.packed(part.strip()))


def allowed(text: str) -> Markup:
    """Return the source of a content security policy that allows only this inline script or style sheet."""
    return Markup("'sha256-{}'").format(base64.b64encode(hashlib.sha256(text.encode()).digest()).decode())


def interval(part: ClaimNumber, word: str) -> Markup:
    """Return the interval of a claim's number against the band that its criterion asks for, as a small SVG.

    Args:
        part: the number, its ends and the band.
        word: the verdict, which decides the colour.
    """
    low, high = _ends(part)

    def across(value: float) -> float:
        return round((min(max(value, low), high) - low) / (high - low) * (WIDTH - 12) + 6, 1)

    text = f"{part.number.text} {part.number.interval}".strip()
    words = f"{part.name}: {text}" + (f", asked {part.required}" if part.required else "")
    marks = [
        Markup(
            '<svg class="interval {}" viewBox="0 0 {} {}" width="{}" height="{}" role="img" aria-label="{}">'
        ).format(word.replace(" ", "-"), WIDTH, HEIGHT, WIDTH, HEIGHT, words)
    ]
    if part.band:
        first, last = (across(end) for end in part.band)
        marks.append(_rectangle("band", first, 3, max(last - first, 1.5), HEIGHT - 6))
    marks.append(_rectangle("axis", 6, HEIGHT / 2 - 0.5, WIDTH - 12, 1))
    if low < 0 < high:
        marks.append(_rectangle("zero", across(0) - 0.5, 6, 1, HEIGHT - 12))
    if part.low < part.high:
        marks.append(_rectangle("reach", across(part.low), HEIGHT / 2 - 1.5, across(part.high) - across(part.low), 3))
    marks.append(Markup('<circle cx="{}" cy="{}" r="4.5"/></svg>').format(across(part.number.value), HEIGHT // 2))
    return Markup("").join(marks)


def _rectangle(name: str, left: float, top: float, width: float, height: float) -> Markup:
    shape = Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}"/>')
    return shape.format(name, round(left, 1), round(top, 1), round(width, 1), round(height, 1))


def _ends(part: ClaimNumber) -> tuple[float, float]:
    """Return the ends of the axis: 0 and 1 for shares, else what shows the interval and the bound, with 0."""
    band = [end for end in part.band or () if math.isfinite(end)]
    shown = [part.number.value, *(end for end in (part.low, part.high, *band) if math.isfinite(end))]
    if not part.difference and min(shown) >= 0 and max(shown) <= 1:
        return 0.0, 1.0
    low, high = min(0.0, *shown), max(0.0, *shown)
    if part.difference:
        high = max(high, -low)
        low = -high
    space = (high - low) * MARGIN or 1.0
    return low - space, high + space
