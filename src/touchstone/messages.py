"""What an error says, as one line of a message of ours."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

LONGEST_WORD = 100  # letters of a value that a message shows


def first_line(error: Exception) -> str:
    """Return what an error says first, or its kind where it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def nearest(word: str, allowed: Iterable[str]) -> str:
    """Return " Did you mean X?" for the closest allowed word, or nothing."""
    close = difflib.get_close_matches(str(word)[:LONGEST_WORD], list(allowed), n=1, cutoff=0.5)
    return f" Did you mean {close[0]}?" if close else ""
