"""What a report holds compressed, so that it can be committed: its table of numbers, and the folded parts of its page."""

from __future__ import annotations

import base64
import csv
import gzip
import io
import re
import zlib

METRICS = "metrics.csv.gz"  # pandas and R read it as it is; `zcat metrics.csv.gz | sed -n 2p` prints its first row
PACKED = re.compile(r'<script type="text/plain" class="packed">([A-Za-z0-9+/=]*)</script>')


def compressed(data: bytes) -> bytes:
    """Return `data` as gzip, without a clock or a name: equal bytes for equal data and one zlib."""
    return gzip.compress(data, 9, mtime=0)


def rows_of(data: bytes) -> list[dict[str, str]]:
    """Return the rows of a report's table as text, by column; ValueError where it is not whole."""
    try:
        text = gzip.decompress(data).decode()
    except (EOFError, OSError, zlib.error, UnicodeDecodeError) as error:
        raise ValueError(f"not a whole gzipped table: {error}") from error
    if not text:
        raise ValueError("not a whole gzipped table: it is empty")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def packed(text: str) -> str:
    """Return `text` in letters that a page can hold and its script can unpack: gzip in base64."""
    return base64.b64encode(compressed(text.encode())).decode()


def unpacked(page: str) -> str:
    """Return a report's page with its packed parts as they look unfolded; ValueError where one is not whole."""

    def content(found: re.Match[str]) -> str:
        try:
            return gzip.decompress(base64.b64decode(found[1])).decode()
        except (EOFError, OSError, zlib.error, UnicodeDecodeError, ValueError) as error:
            raise ValueError(f"a packed part of the page is not whole: {error}") from error

    return PACKED.sub(content, page)
