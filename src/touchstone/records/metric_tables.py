"""A table of metric rows: what evaluations return. Its bytes are CSV, so that people and DVC can read them."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass

from touchstone.records.encoding import DamagedFile
from touchstone.records.metric_rows import METRIC_COLUMNS, MetricRow, cells_of, row_of
from touchstone.records.nouns import ContractError


@dataclass(frozen=True)
class Metrics:
    """The rows of one evaluation, or of a whole report; every number is finite.

    Raises:
        ContractError: a row is not a MetricRow, or a number of it is NaN or infinite.
    """

    rows: list[MetricRow]

    def __post_init__(self) -> None:
        for row in self.rows:
            if not isinstance(row, MetricRow):
                raise ContractError(f"a metrics row is a {type(row).__name__}, expected a MetricRow")
            if row.value is None:
                raise ContractError(f"{row.metric} of {row.entry} on {row.examples}: no value")
            for column, value in (("value", row.value), ("low", row.low), ("high", row.high)):
                if value is not None and not math.isfinite(value):
                    raise ContractError(f"{row.metric}: {column} is {value}")


def encode(metrics: Metrics) -> bytes:
    """Return the table as CSV: equal bytes for equal rows, on every machine."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(METRIC_COLUMNS)
    writer.writerows(map(cells_of, metrics.rows))
    return text.getvalue().encode()


def decode(data: bytes) -> Metrics:
    """Return the table that `encode` wrote; DamagedFile if the bytes are none."""
    try:
        header, *lines = csv.reader(io.StringIO(data.decode()))
        if tuple(header) != METRIC_COLUMNS:
            raise ContractError(f"columns are {header}")
        return Metrics([row_of(cells) for cells in lines])
    except (UnicodeDecodeError, ValueError, TypeError, csv.Error) as error:
        raise DamagedFile(f"not a whole metrics table ({error})") from error
