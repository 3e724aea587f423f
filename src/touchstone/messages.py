"""Pieces of messages: the first line of an exception, the nearest word, words as a sentence lists them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

LONGEST_WORD = 100  # letters of a value that a message shows


def first_line(error: Exception) -> str:
    """Return the first line of an error's text, or its class if it has no text."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def nearest(word: str, allowed: Iterable[str]) -> str:
    """Return " Did you mean X?" for the closest allowed word, "" if none is close."""
    matches = difflib.get_close_matches(str(word)[:LONGEST_WORD], list(allowed), n=1, cutoff=0.5)
    return f" Did you mean {matches[0]}?" if matches else ""


def listed(words: Sequence[str]) -> str:
    """Return words as a sentence lists them: "a, b and c"; "" if there are none."""
    return " and ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))
