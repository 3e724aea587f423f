"""A figure's SVG as a part of a page: smaller, in the page's colours, with the rows that its marks show."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from xml.etree import ElementTree

from markupsafe import Markup

from touchstone.report import drawing, rasters

ON_PAGE = {drawing.INK: "currentColor", drawing.PAPER: "none", drawing.BACKDROP: "var(--card)"}  # colours of figures
SVG, XLINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}"
TARGET = re.compile(r'(?<=href="#)[^"]+|(?<=url\(#)[^)]+')  # the id that a part of an SVG refers to
PNG = "data:image/png;base64,"
TRANSPARENT = "{fill:none}"  # the style of a shape that is never seen

ElementTree.register_namespace("", SVG[1:-1])


def inline_svg(
    svg: str,
    name: str,
    alt: str,
    styles: dict[str, str],
    lines: Mapping[str, Sequence[int | None]] | None = None,
    groups: Mapping[str, Mapping[str, str]] | None = None,
) -> Markup:
    """Return the SVG as a part of a page: no prologue, unique ids, the page's ink and paper, no idle groups.

    The page's policy allows one style sheet, so each style attribute becomes a class of it.

    Args:
        svg: the whole file.
        name: the figure's name, which begins each id.
        alt: what the figure shows, in words.
        styles: {rule: class} of the page so far; the rules of this figure are added.
        lines: {id of a group: the lines of the rows that its points show}; they become `data-row`.
        groups: {id of a group: more attributes of it}.
    """
    svg = svg[svg.index("<svg") :]
    for colour, on_page in ON_PAGE.items():
        svg = svg.replace(colour, on_page)
    root = ElementTree.fromstring(svg)
    ids = {target: f"{name}-{place}" for place, target in enumerate(dict.fromkeys(TARGET.findall(svg)))}
    for part in [*root.iter()]:
        own = part.attrib.pop("id", "")
        part.attrib.update({"id": ids[own]} if own in ids else (groups or {}).get(own, {}))
        _set_rows(part, (lines or {}).get(own, ()))
        _shorten(part, ids, styles)
    _prune(root, styles)
    root.attrib.update({"role": "img", "aria-label": alt})
    return Markup(ElementTree.tostring(root, encoding="unicode").replace(" />", "/>"))


def _set_rows(part: ElementTree.Element, lines: Sequence[int | None]) -> None:
    """Name the row of each point of a group; a group of one point is named as a whole."""
    points = [part] if len(lines) == 1 else [*part.iter(f"{SVG}use")]
    if len(points) == len(lines):
        for point, line in zip(points, lines, strict=True):
            point.attrib.update({} if line is None else {"data-row": str(line)})


def _shorten(part: ElementTree.Element, ids: Mapping[str, str], styles: dict[str, str]) -> None:
    """Let a part refer to the ids of the page, and make a class of its style."""
    for key, value in [*part.attrib.items()]:
        if key == "style":
            del part.attrib[key]
            part.set("class", styles.setdefault(f"{{{value}}}", f"s{len(styles)}"))
        elif key == f"{XLINK}href":
            del part.attrib[key]
            part.set("href", f"#{ids[value[1:]]}" if value[1:] in ids else _smaller(value))
        elif key == "clip-path":
            part.set(key, TARGET.sub(lambda target: ids[target[0]], value))


def _smaller(address: str) -> str:
    """Return an address; if it contains a PNG, one with fewer bytes."""
    return rasters.address(base64.b64decode(address.removeprefix(PNG))) if address.startswith(PNG) else address


def _prune(part: ElementTree.Element, styles: dict[str, str]) -> None:
    """Remove what is never seen: metadata, style sheets, transparent shapes, groups without attributes."""
    kept: list[ElementTree.Element] = []
    for child in part:
        if child.tag == f"{SVG}style":
            styles.setdefault((child.text or "").strip(), "")
            continue
        _prune(child, styles)
        empty = child.tag in (f"{SVG}g", f"{SVG}defs") and not len(child)
        if empty or child.tag == f"{SVG}metadata" or child.get("class", "") == styles.get(TRANSPARENT):
            continue
        kept += child if child.tag == f"{SVG}g" and not child.attrib else [child]
    part[:] = kept
    for each in (part, *kept):
        each.tail = None
        if each.text and not each.text.strip():
            each.text = None
