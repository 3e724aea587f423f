"""Limits on what files from outside unpack to: a file of a megabyte must not cost gigabytes of memory.

The limits are several times what the largest study of ours needs. No job reads a file through this module, so a limit may
change without a recomputation.
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterator

LARGEST_PART = 100_000_000  # bytes of a table, or of the packed parts of a page; `fashion_mnist` has 31 million
MOST_ROWS, MOST_COLUMNS = 200_000, 100  # lines and columns of a table; that of `fashion_mnist` has 46,000 and 19
LONGEST_ROW = 1_000_000  # letters
MOST_VALUES = 1_000_000  # of a JSON text; each takes about a hundred bytes of memory
LARGEST_HEADER = 10_000_000  # bytes that describe the tensors of a safetensors file


def gunzipped(data: bytes, most: int = LARGEST_PART) -> bytes:
    """Return what is in gzip.

    Args:
        data: The compressed bytes.
        most: The bytes that it may unpack to; no more than these are unpacked.

    Raises:
        ValueError: It is not whole, or unpacks to more.
    """
    try:
        with gzip.open(io.BytesIO(data)) as stream:
            content = stream.read(most + 1)
    except (EOFError, OSError, zlib.error) as error:
        raise ValueError(str(error)) from error
    if len(content) > most:
        raise ValueError(f"it unpacks to more than {most // 10**6:,} MB; refused as a bomb")
    return content


def table(text: str) -> list[dict[str, str]]:
    """Return the rows of a CSV as text by column; no rows of a text without a header.

    Raises:
        ValueError: A row has other columns than the header, or there are more rows, columns or letters than in any of our
            tables.
    """
    if (breaks := text.count("\n")) > MOST_ROWS:
        raise ValueError(f"it has {breaks:,} lines, at most {MOST_ROWS:,} are read; refused as a bomb")
    feed = _Lines(text)
    lines = csv.reader(feed)
    columns: list[str] | None = None
    rows: list[dict[str, str]] = []
    same: dict[str, str] = {}  # cells repeat, so each is kept once
    try:
        for cells in lines:
            feed.letters = 0
            if not cells:
                continue
            if columns is None:
                if len(cells) > MOST_COLUMNS or len(set(cells)) < len(cells):
                    raise ValueError(
                        f"it has {len(cells):,} columns, at most {MOST_COLUMNS} with different names are read"
                    )
                columns = cells
                continue
            if len(cells) != len(columns):
                raise ValueError(
                    f"not every row has all columns: line {lines.line_num:,} has {len(cells):,}, expected {len(columns)}"
                )
            rows.append(dict(zip(columns, (same.setdefault(cell, cell) for cell in cells), strict=True)))
    except csv.Error as error:
        raise ValueError(f"line {lines.line_num:,}: {error}") from error
    return rows


class _Lines(Iterator[str]):
    """The lines of a text, until one row of a table has too many letters."""

    def __init__(self, text: str) -> None:
        self.stream = io.StringIO(text, newline="")
        self.letters = 0

    def __next__(self) -> str:
        line = self.stream.readline(LONGEST_ROW + 1)
        self.letters += len(line)
        if not line:
            raise StopIteration
        if self.letters > LONGEST_ROW:
            raise ValueError(f"a row has more than {LONGEST_ROW:,} letters; refused as a bomb")
        return line


def problem_of_json(data: bytes, most: int = MOST_VALUES) -> str:
    """Return why a JSON text is not read: it has more than so many values, each in much memory; "" if it is."""
    values = data.count(b",") + data.count(b"[") + data.count(b"{")
    return f"it holds {values:,} values, at most {most:,} are read" if values > most else ""


def problem_of_table(data: bytes) -> str:
    """Return why a CSV is not read: it would take gigabytes; "" if it is."""
    if (lines := data.count(b"\n")) > MOST_ROWS:
        return f"it has {lines:,} lines, at most {MOST_ROWS:,} are read"
    if (cells := data.count(b",")) > MOST_ROWS * 20:
        return f"it has {cells:,} cells, at most {MOST_ROWS * 20:,} are read"
    return ""


def problem_of_header(start: bytes) -> str:
    """Return why a safetensors file is not read: its header would take gigabytes; "" if it is.

    Args:
        start: The file, or at least its first eight bytes.
    """
    length = int.from_bytes(start[:8], "little")
    if length > LARGEST_HEADER:
        return f"its header claims {length:,} bytes, at most {LARGEST_HEADER:,} are read"
    return problem_of_json(start[8 : 8 + length])
