"""The two tables of a report, read whole: a damaged one is named, with what restores it."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

from touchstone.report import packing

CLAIMS = "claims.csv"
RESTORED = "run the study again, or restore the file with git"


def numbers(table: Path | str, read: Callable[[], bytes] | None = None) -> list[dict[str, str]]:
    """Return the rows of a report's table of numbers.

    Args:
        table: its path, or what an error calls it.
        read: how its bytes are read; by default from the path.

    Raises:
        ValueError: the table is damaged.
    """
    try:
        return packing.rows_of(read() if read else Path(table).read_bytes())
    except ValueError as error:
        raise ValueError(f"{table}: {error}; {RESTORED}") from None


def claims(table: Path | str, read: Callable[[], bytes] | None = None) -> list[dict[str, str]]:
    """Return the rows of a report's table of claims.

    Args:
        table: its path, or what an error calls it.
        read: how its bytes are read; by default from the path.

    Raises:
        ValueError: the table is damaged.
    """
    data = read() if read else Path(table).read_bytes()
    lines = csv.DictReader(io.StringIO(data.decode(), newline=""))
    rows = list(lines)
    if not lines.fieldnames or any(None in row or None in row.values() for row in rows):
        raise ValueError(f"{table}: is damaged: not every row has all columns; {RESTORED}")
    return rows
