"""Read the two tables of a report. The error about a damaged table names it, and says how to restore it."""

from __future__ import annotations

from pathlib import Path

from touchstone.audit.chain.row_names import NUMBER
from touchstone.records import size_limits
from touchstone.report import packing

CLAIMS = "claims.csv"
VALUES = ("value", "low", "high")  # the columns of a number and of the ends of its interval
RESTORED = "run the study again, or restore the file with git"


def numbers(name: Path | str, data: bytes) -> list[dict[str, str]]:
    """Return the rows of a report's table of numbers; ValueError names a damaged one."""
    try:
        rows = packing.rows_of(data)
    except ValueError as error:
        raise ValueError(f"{name}: {error}; {RESTORED}") from None
    if rows and (lacking := [column for column in (*NUMBER, *VALUES, "files") if column not in rows[0]]):
        raise ValueError(f"{name}: is damaged: it has no column {', '.join(lacking)}; {RESTORED}")
    for line, row in enumerate(rows, start=2):
        for column in VALUES:
            try:
                float(row[column] or row["value"])  # a number without an interval has no ends
            except ValueError:
                raise ValueError(
                    f"{name}: is damaged: line {line} has {row[column]!r} as {column}, expected a number; {RESTORED}"
                ) from None
    return rows


def claims(name: Path | str, data: bytes) -> list[dict[str, str]]:
    """Return the rows of a report's table of claims; ValueError names a damaged one."""
    try:
        rows = size_limits.table(data.decode())
    except ValueError as error:  # also bytes that are not UTF-8
        raise ValueError(f"{name}: is damaged: {error}; {RESTORED}") from None
    if not data.strip():
        raise ValueError(f"{name}: is damaged: it is empty; {RESTORED}")
    if unnamed := sum(not row.get("claim") for row in rows):
        raise ValueError(f"{name}: is damaged: {unnamed} of its rows name no claim; {RESTORED}")
    return rows
