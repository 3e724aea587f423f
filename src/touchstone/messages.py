"""Pieces of messages: the first line of an exception, the nearest word, words as a sentence lists them."""

from __future__ import annotations

import difflib
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

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


def time_left(done: int, total: int, seconds: float) -> str:
    """Return the estimated remaining time; "" until a tenth is done.

    The estimate assumes that the remaining jobs or steps take as long as the finished ones.
    """
    if done == total or done < max(3, total / 10):
        return ""
    minutes = seconds / done * (total - done) / 60
    return f", about {minutes:.0f} min left" if minutes >= 1 else ", less than a minute left"


def printable(text: str) -> str:
    """Return a text with everything escaped that a terminal or a reader could take for something else.

    Control characters are escaped, line ends and marks of direction included; spaces of any width stay.

    Args:
        text: from a file, or of our own.

    Returns:
        One line that moves no cursor: "name\\x1b[2J" for a name that would clear the screen.
    """
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() or unicodedata.category(letter) == "Zs" else ascii(letter)[1:-1]
        for letter in text
    )


def say(*lines: str, stream: TextIO | None = None) -> None:
    """Print lines, so that what a file holds cannot add a line of its own.

    Args:
        lines: each on a line of its own; a line end within one is escaped.
        stream: where to print; by default stdout.
    """
    for line in lines:
        print(printable(line), file=stream or sys.stdout)


class _Guarded:
    """A stream that escapes control characters, and otherwise does what the stream behind it does."""

    def __init__(self, stream: TextIO) -> None:
        self.unguarded = stream

    def write(self, text: str) -> int:
        self.unguarded.write("\n".join(map(printable, text.split("\n"))))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.unguarded, name)


def guard_terminal() -> None:
    """Escape control characters in all that is printed from now on, by whatever code, on stdout and stderr."""
    sys.stdout, sys.stderr = (_Guarded(unguarded(each)) for each in (sys.stdout, sys.stderr))


def unguarded(stream: TextIO) -> TextIO:
    """Return the stream behind a guarded one, for our own colours and progress; what it prints must be `printable`."""
    return stream.unguarded if isinstance(stream, _Guarded) else stream
