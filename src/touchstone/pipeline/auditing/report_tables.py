"""Read the two tables of a report. The error about a damaged table names it, and says how to restore it."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from touchstone.report import packing

CLAIMS = "claims.csv"
RESTORED = "run the study again, or restore the file with git"


def numbers(name: Path | str, data: bytes) -> list[dict[str, str]]:
    """Return the rows of a report's table of numbers; ValueError names a damaged one."""
    try:
        return packing.rows_of(data)
    except ValueError as error:
        raise ValueError(f"{name}: {error}; {RESTORED}") from None


def claims(name: Path | str, data: bytes) -> list[dict[str, str]]:
    """Return the rows of a report's table of claims; ValueError names a damaged one."""
    try:
        lines = csv.DictReader(io.StringIO(data.decode(), newline=""))
        rows = list(lines)
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{name}: is damaged: {error}; {RESTORED}") from None
    if not lines.fieldnames or any(None in row or None in row.values() for row in rows):
        raise ValueError(f"{name}: is damaged: not every row has all columns; {RESTORED}")
    if unnamed := sum(not row.get("claim") for row in rows):
        raise ValueError(f"{name}: is damaged: {unnamed} of its rows name no claim; {RESTORED}")
    return rows
