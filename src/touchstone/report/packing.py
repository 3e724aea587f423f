"""Compressed parts of a report, small enough to commit: its table of numbers, and the folded parts of its page."""

from __future__ import annotations

import base64
import gzip
import re

from touchstone.records import size_limits

METRICS = "metrics.csv.gz"  # pandas and R read it directly; `zcat metrics.csv.gz | sed -n 2p` prints its first row
OF_CLAIMS = "claims"  # the evaluation that METRICS names for a claim's numbers
PACKED = re.compile(r'<script type="text/plain" class="packed">([^<]*)</script>')
# Base 85 takes 6 % fewer letters than base 64. Python's alphabet without the letters that mean something in HTML:
SAFE = str.maketrans("<>&", ".:,")
UNSAFE = str.maketrans(".:,", "<>&")


def compressed(data: bytes) -> bytes:
    """Return `data` as gzip without a time or a name: equal data gives equal bytes under one version of zlib."""
    return gzip.compress(data, 9, mtime=0)


def rows_of(data: bytes) -> list[dict[str, str]]:
    """Return the rows of a report's table as text by column; ValueError if it is not whole."""
    text = _whole(data, "not a whole gzipped table")
    if not text:
        raise ValueError("not a whole gzipped table: it is empty")
    try:
        return size_limits.table(text)
    except ValueError as error:
        raise ValueError(f"not a whole gzipped table: {error}") from error


def packed(text: str) -> str:
    """Return `text` as gzip in base 85, which a page can contain and its script can unpack.

    The first letter is the number of bytes at the end that only fill the last group of four.
    """
    data = compressed(text.encode())
    return f"{-len(data) % 4}{base64.b85encode(data, pad=True).decode().translate(SAFE)}"


def unpacked_text(letters: str, most: int = size_limits.LARGEST_PART) -> str:
    """Return what `packed` packed; ValueError if it is not whole, or unpacks to more than so many bytes."""
    return _whole(letters, "a packed part of the page is not whole", most)


def unpacked(page: str) -> str:
    """Return a report's page with its packed parts unpacked; ValueError if one is not whole, or if they are too large."""
    left = size_limits.LARGEST_PART

    def part(match: re.Match[str]) -> str:
        nonlocal left
        text = unpacked_text(match[1], left)
        left -= len(text)
        return text

    return PACKED.sub(part, page)


def _whole(data: bytes | str, otherwise: str, most: int = size_limits.LARGEST_PART) -> str:
    """Return the text in gzip or in gzip in base 85; the message of a ValueError begins with `otherwise`."""
    try:
        if isinstance(data, str):
            padded = base64.b85decode(data[1:].translate(UNSAFE))
            data = padded[: len(padded) - int(data[0])]
        return size_limits.gunzipped(data, most).decode()
    except (ValueError, IndexError) as error:  # not base 85, not UTF-8, no letters
        raise ValueError(f"{otherwise}: {error}") from error
