"""Docstrings of components, cut into the parts that the page shows."""

from __future__ import annotations

import re
import textwrap
from typing import NamedTuple

TITLES = {"": "", "Args": "Inputs and settings", "Returns": "What is measured", "References": "References"}
_SECTION = re.compile(r"^(Args|Attributes|Returns|Raises|References):\n", re.MULTILINE)
_PARAGRAPH = re.compile(r"\n\n|\n(?=- )")  # bullets are paragraphs too
_ITEM = re.compile(r"^(?=\w[\w*, ]*: )", re.MULTILINE)


class Section(NamedTuple):
    """A titled part of a docstring: paragraphs, or items that have names; the first part has no title."""

    title: str
    paragraphs: list[str]
    items: list[tuple[str, str]]


def sections(docstring: str) -> list[Section]:
    """Return the parts of a docstring whose titles TITLES names, in their order, without line breaks and backticks."""
    first, *rest = _SECTION.split(docstring)
    parts = [("", first), *zip(rest[::2], rest[1::2], strict=True)]
    return [_section(title, textwrap.dedent(text)) for title, text in parts if title in TITLES and text.strip()]


def _section(title: str, text: str) -> Section:
    if title != "Args":
        return Section(TITLES[title], [_joined(paragraph) for paragraph in _PARAGRAPH.split(text.strip())], [])
    items = (item.partition(": ") for item in _ITEM.split(text) if item.strip())
    return Section(TITLES[title], [], [(name, _joined(words)) for name, _, words in items])


def _joined(text: str) -> str:
    return re.sub(r"^- ", "• ", " ".join(text.split()).replace("`", ""))
