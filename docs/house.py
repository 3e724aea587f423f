"""Draw the packages of touchstone by floor, for docs/architecture.md: make tables.

The floors are those that tests/unit/test_imports.py enforces; charters are read from the source.
"""

from __future__ import annotations

import ast
import re
import runpy
import sys
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from pathlib import Path

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "house.svg"
COLOURS = {"Components": "#e8f1e4", "Pipeline": "#e3ecf7", "Shared code": "#f7efdc", "Entry points": "#f3e3ea"}
ENTRY_POINTS = ("__main__", "api", "assay", "audit", "commands", "testing")
PIPELINE = ("pipeline", "provenance", "settings")
WIDTH, GAP, LEFT, PER_LINE = 1200, 8, 70, 6  # pixels, and boxes in a line
LINE, PADDING = 14, 10
LETTER = 5.8  # pixels: the mean width of a letter of 11 px


@dataclass(frozen=True)
class Room:
    """A package or a root module: its floor and its charter."""

    name: str
    floor: int
    charter: str
    components: bool

    @property
    def kind(self) -> str:
        """The group that the room is coloured by."""
        if self.name in ENTRY_POINTS:
            return "Entry points"
        if self.components:
            return "Components"
        return "Pipeline" if self.name in PIPELINE else "Shared code"

    @property
    def holds(self) -> str:
        """The first sentence of the charter, without the command or section that may open it."""
        text = re.sub(r"^(Components of the section )?`[^`]*`: ", "", _sentences(self.charter)[0])
        return text[0].upper() + text[1:]


def rooms() -> list[Room]:
    """Return every room of the package, lowest floor first."""
    sys.path.insert(0, str(ROOT / "tests"))
    checks = runpy.run_path(str(ROOT / "tests" / "unit" / "test_imports.py"))
    package = checks["PACKAGE"]
    return [
        Room(name, floor, _charter(package, name), name in checks["COMPONENTS"])
        for floor, names in enumerate(checks["FLOORS"], 1)
        for name in sorted(names)
    ]


def _sentences(text: str) -> list[str]:
    return re.split(r"\.(?:\s|$)", text)


def _charter(package: Path, name: str) -> str:
    path = package / name / "__init__.py" if (package / name).is_dir() else package / f"{name}.py"
    text = ast.get_docstring(ast.parse(path.read_text())) or ""
    return text.split("\n\n")[0].replace("\n", " ")


def picture(shown: Iterable[Room]) -> str:
    """Return the house as SVG: a line of boxes per floor, the highest on top."""
    floors: dict[int, list[Room]] = {}
    for room in shown:
        floors.setdefault(room.floor, []).append(room)
    parts, top = _legend(), 56
    for floor in sorted(floors, reverse=True):
        lines = _lines(floors[floor])
        for line in lines:
            width = (WIDTH - LEFT - GAP * len(line)) / len(line)
            words = [textwrap.wrap(room.holds, int((width - 2 * PADDING) / LETTER)) for room in line]
            height = 2 * PADDING + LINE * (1 + max(map(len, words)))
            for place, (room, text) in enumerate(zip(line, words, strict=True)):
                parts.append(_box(room, text, LEFT + place * (width + GAP), top, width, height))
            if line is lines[0]:
                parts.append(f'<text x="{LEFT - 14}" y="{top + PADDING + 11}" class="floor">{floor}</text>')
            top += height + GAP
        parts.append(f'<line x1="{LEFT - 40}" y1="{top}" x2="{WIDTH - GAP}" y2="{top}"/>')
        top += GAP
    style = (
        "text{font:11px sans-serif;fill:#333}.name{font-weight:bold;font-size:12px;fill:#111}"
        ".floor{font-weight:bold;font-size:14px;text-anchor:end}line{stroke:#999}rect{stroke:#777}"
    )
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{top:g}" viewBox="0 0 {WIDTH} {top:g}">'
    title = "<title>The packages of touchstone, by floor: each imports only from floors below its own</title>"
    back = f'<rect width="{WIDTH}" height="{top:g}" style="fill:#fff;stroke:none"/>'
    return "\n".join([head, title, f"<style>{style}</style>", back, *parts, "</svg>"]) + "\n"


def _legend() -> list[str]:
    parts, left = [], float(LEFT)
    for kind, colour in COLOURS.items():
        parts.append(f'<rect x="{left:g}" y="8" width="14" height="14" fill="{colour}"/>')
        parts.append(f'<text x="{left + 20:g}" y="19">{kind}</text>')
        left += 60 + LETTER * len(kind)
    words = "Each package imports only from floors below its own. Components of one folder never import one another."
    return [*parts, f'<text x="{LEFT}" y="42">{words}</text>']


def _lines(floor: list[Room]) -> list[list[Room]]:
    """Return the rooms of a floor in lines of nearly equal length."""
    count = -(-len(floor) // PER_LINE)
    size = -(-len(floor) // count)
    return [floor[start : start + size] for start in range(0, len(floor), size)]


def _box(room: Room, text: list[str], left: float, top: float, width: float, height: float) -> str:
    colour, x = COLOURS[room.kind], f"{left + PADDING:.1f}"
    lines = [f'<text x="{x}" y="{top + PADDING + 11:g}" class="name">{escape(room.name)}</text>']
    lines += [
        f'<text x="{x}" y="{top + PADDING + 11 + LINE * number:g}">{escape(line.replace("`", ""))}</text>'
        for number, line in enumerate(text, 1)
    ]
    box = f'<rect x="{left:.1f}" y="{top:g}" width="{width:.1f}" height="{height:g}" rx="4" fill="{colour}"/>'
    return "\n".join([box, *lines])


if __name__ == "__main__":
    drawn = picture(rooms())
    if not PICTURE.is_file() or PICTURE.read_text() != drawn:
        PICTURE.write_text(drawn)
        print(f"{PICTURE.relative_to(ROOT)} rewritten")
