"""Compressed parts of a report, small enough to commit: its table of numbers, and the folded parts of its page."""

from __future__ import annotations

import base64
import csv
import gzip
import io
import re
import zlib

METRICS = "metrics.csv.gz"  # pandas and R read it directly; `zcat metrics.csv.gz | sed -n 2p` prints its first row
PACKED = re.compile(r'<script type="text/plain" class="packed">([A-Za-z0-9+/=]*)</script>')


def compressed(data: bytes) -> bytes:
    """Return `data` as gzip without a time or a name: equal data gives equal bytes under one version of zlib."""
    return gzip.compress(data, 9, mtime=0)


def rows_of(data: bytes) -> list[dict[str, str]]:
    """Return the rows of a report's table as text by column; ValueError if it is not whole."""
    text = _whole(data, "not a whole gzipped table")
    if not text:
        raise ValueError("not a whole gzipped table: it is empty")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def packed(text: str) -> str:
    """Return `text` as gzip in base64, which a page can contain and its script can unpack."""
    return base64.b64encode(compressed(text.encode())).decode()


def unpacked(page: str) -> str:
    """Return a report's page with its packed parts unpacked; ValueError if one is not whole."""
    return PACKED.sub(lambda match: _whole(match[1], "a packed part of the page is not whole"), page)


def _whole(data: bytes | str, otherwise: str) -> str:
    """Return the text in gzip or in gzip in base64; the message of a ValueError begins with `otherwise`."""
    try:
        return gzip.decompress(base64.b64decode(data) if isinstance(data, str) else data).decode()
    except (EOFError, OSError, zlib.error, ValueError) as error:  # not base64, or not UTF-8: both are ValueErrors
        raise ValueError(f"{otherwise}: {error}") from error
