"""What an error says, as one line of a message of ours."""

from __future__ import annotations


def first_line(error: Exception) -> str:
    """Return what an error says first, or its kind where it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
