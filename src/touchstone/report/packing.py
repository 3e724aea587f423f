"""Compressed parts of a report, small enough to commit: its table of numbers, and the folded parts of its page."""

from __future__ import annotations

import base64
import csv
import gzip
import io
import re
import zlib

# Bytes of an unpacked part. The table of `fashion_mnist` has 31 million, and its rows take ten times as much memory.
LARGEST = 100_000_000
METRICS = "metrics.csv.gz"  # pandas and R read it directly; `zcat metrics.csv.gz | sed -n 2p` prints its first row
PACKED = re.compile(r'<script type="text/plain" class="packed">([^<]*)</script>')
# Base 85 takes 6 % fewer letters than base 64. Python's alphabet without the letters that mean something in HTML:
SAFE = str.maketrans("<>&", ".:,")
UNSAFE = str.maketrans(".:,", "<>&")


def compressed(data: bytes) -> bytes:
    """Return `data` as gzip without a time or a name: equal data gives equal bytes under one version of zlib."""
    return gzip.compress(data, 9, mtime=0)


def decompressed(data: bytes) -> bytes:
    """Return what is in gzip; ValueError if it is not whole, or larger than any part of a report."""
    try:
        with gzip.open(io.BytesIO(data)) as stream:
            content = stream.read(LARGEST + 1)
    except (EOFError, OSError, zlib.error) as error:
        raise ValueError(str(error)) from error
    if len(content) > LARGEST:
        raise ValueError(f"it unpacks to more than {LARGEST // 10**6} MB, which no report does")
    return content


def rows_of(data: bytes) -> list[dict[str, str]]:
    """Return the rows of a report's table as text by column; ValueError if it is not whole."""
    text = _whole(data, "not a whole gzipped table")
    if not text:
        raise ValueError("not a whole gzipped table: it is empty")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def packed(text: str) -> str:
    """Return `text` as gzip in base 85, which a page can contain and its script can unpack.

    The first letter is the number of bytes at the end that only fill the last group of four.
    """
    data = compressed(text.encode())
    return f"{-len(data) % 4}{base64.b85encode(data, pad=True).decode().translate(SAFE)}"


def unpacked_text(letters: str) -> str:
    """Return what `packed` packed; ValueError if it is not whole."""
    return _whole(letters, "a packed part of the page is not whole")


def unpacked(page: str) -> str:
    """Return a report's page with its packed parts unpacked; ValueError if one is not whole."""
    return PACKED.sub(lambda match: unpacked_text(match[1]), page)


def _whole(data: bytes | str, otherwise: str) -> str:
    """Return the text in gzip or in gzip in base 85; the message of a ValueError begins with `otherwise`."""
    try:
        if isinstance(data, str):
            padded = base64.b85decode(data[1:].translate(UNSAFE))
            data = padded[: len(padded) - int(data[0])]
        return decompressed(data).decode()
    except (ValueError, IndexError) as error:  # not base 85, not UTF-8, no letters
        raise ValueError(f"{otherwise}: {error}") from error
