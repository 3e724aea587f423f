"""Entries that differ in one word: `fit_*: {each: [blur, noise], kind: "*"}` stands for fit_blur and fit_noise."""

from __future__ import annotations

from typing import Any

from touchstone.settings.limits import ENTRIES
from touchstone.settings.problems import Problems
from touchstone.settings.values import shown

EACH, STAR = "each", "*"


def spelled_out(sections: dict[str, Any], problems: Problems) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """Return the sections of a file with each pattern replaced by its entries, and {pattern: its entries}.

    In a pattern, `*` in a text stands for the word of the entry, and a text that is only `*` for the word itself: with
    `each: [0, 1]` it is a number.

    Args:
        sections: section -> entry -> its block, as written.
        problems: receives patterns that are not written right.
    """
    spelled: dict[str, Any] = {}
    members: dict[str, list[str]] = {}
    for section, blocks in sections.items():
        spelled[section] = blocks
        if isinstance(blocks, dict):
            entries: dict[str, Any] = {}
            for name, block in blocks.items():
                if isinstance(block, dict) and EACH in block:
                    made = _entries((section, name), block, problems)
                    members[name] = list(made)
                    entries |= made
                else:
                    entries[name] = block
            spelled[section] = entries
    return spelled, members


def _entries(place: tuple[str, str], block: dict[str, Any], problems: Problems) -> dict[str, Any]:
    """Return {entry: its block} of a pattern."""
    section, pattern = place
    words = block[EACH]
    if pattern.count(STAR) != 1:
        problems.add(place, "an entry with each: has one * in its name, in the place of each word")
    elif not isinstance(words, list) or not words or not all(isinstance(word, str | int) for word in words):
        problems.add((*place, EACH), f"expected a list of words or whole numbers, got {shown(words)}")
    elif len(words) > ENTRIES:
        problems.add((*place, EACH), f"names {len(words):,} words; a section may have at most {ENTRIES} entries")
    elif len(set(map(str, words))) < len(words):
        problems.add((*place, EACH), f"names a word twice: {shown(words)}")
    else:
        names = {pattern.replace(STAR, str(word)): word for word in words}
        for name in names:
            problems.record_origin((section, name), place)
        rest = {key: value for key, value in block.items() if key != EACH}
        return {name: _filled(rest, word) for name, word in names.items()}
    return {}


def _filled(value: Any, word: str | int) -> Any:
    if isinstance(value, dict):
        return {key: _filled(item, word) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, word) for item in value]
    if isinstance(value, str):
        return word if value == STAR else value.replace(STAR, str(word))
    return value
