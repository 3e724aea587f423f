"""Tables of metric rows with all that is known of their intervals, and the CSV that evaluations write and read."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from touchstone.records import metric_rows
from touchstone.records.damage import DamagedFile
from touchstone.records.nouns import ContractError

SPREAD = ("method", "seeds", "images", "seed_variance", "image_variance", "residual_variance")
METRIC_COLUMNS = (*metric_rows.METRIC_COLUMNS, *SPREAD)
LEFT_OUT = "left out: "  # begins a line that holds no number but what is missing, and why


@dataclass(frozen=True)
class MetricRow(metric_rows.MetricRow):
    """One measured number, its 95 % interval and how that was found, and what it is about.

    Attributes:
        method: how the ends were found: "exact", "percentile", "range" or one of seed_intervals.METHODS.
        seeds: of a mean, those of its networks.
        images: how many were resampled for the interval; of two populations the fewer, at a threshold those tested on.
        seed_variance, image_variance, residual_variance: what the number varies by, see statistics/seed_intervals.py. Of
            one network only image_variance is known.
        resampled: in no table: what evaluations/statistics/rows.py makes the interval of a mean from.
    """

    method: str = ""
    seeds: tuple[int, ...] = ()
    images: int | None = None
    seed_variance: float | None = None
    image_variance: float | None = None
    residual_variance: float | None = None
    resampled: Any = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Metrics:
    """The rows of one evaluation, or of a whole report; every number is finite.

    Attributes:
        left_out: what could not be measured, each a clause with the reason.
    """

    rows: list[MetricRow]
    left_out: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for row in self.rows:
            if not isinstance(row, metric_rows.MetricRow):
                raise ContractError(f"a metrics row is a {type(row).__name__}, expected a MetricRow")
            for column, value in (("value", row.value), ("low", row.low), ("high", row.high)):
                if value is not None and not math.isfinite(value):
                    raise ContractError(f"{row.metric}: {column} is {value}")
            if row.value is None:
                raise ContractError(f"{row.metric} of {row.entry} on {row.examples}: no value")


def left_out(metrics: Mapping[str, Metrics]) -> tuple[str, ...]:
    """Return what a study's evaluations could not measure, each reason once."""
    return tuple(dict.fromkeys(reason for table in metrics.values() for reason in table.left_out))


def cells_of(row: MetricRow) -> list[str]:
    """Return the row as the cells of a CSV: floats to their last digit, None as nothing."""
    return [*metric_rows.cells_of(row), *(_cell(getattr(row, column)) for column in SPREAD)]


def _cell(value: object) -> str:
    if isinstance(value, tuple):
        return " ".join(map(str, value))
    return "" if value is None else repr(value) if isinstance(value, float) else str(value)


def row_of(cells: list[str]) -> MetricRow:
    """Return the row whose cells `cells_of` wrote; ValueError if a number is missing or is none."""
    texts = dict(zip(METRIC_COLUMNS, cells, strict=True))
    row = metric_rows.row_of([texts[column] for column in metric_rows.METRIC_COLUMNS])
    more: dict[str, Any] = {name: float(texts[name]) if texts[name] else None for name in SPREAD[3:]}
    return MetricRow(
        **vars(row),
        method=texts["method"],
        seeds=tuple(map(int, texts["seeds"].split())),
        images=int(texts["images"]) if texts["images"] else None,
        **more,
    )


def encode(metrics: Metrics) -> bytes:
    """Return the table as CSV, so that people and DVC can read it: equal bytes for equal rows, on every machine."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(METRIC_COLUMNS)
    writer.writerows(map(cells_of, metrics.rows))
    writer.writerows([LEFT_OUT + reason, *[""] * (len(METRIC_COLUMNS) - 1)] for reason in metrics.left_out)
    return text.getvalue().encode()


def decode(data: bytes) -> Metrics:
    """Return the table that `encode` wrote; DamagedFile if the bytes are none."""
    try:
        header, *lines = csv.reader(io.StringIO(data.decode()))
        if tuple(header) != METRIC_COLUMNS:
            raise ContractError(f"columns are {header}")
        rows = [row_of(cells) for cells in lines if not cells[0].startswith(LEFT_OUT)]
        left_out = [cells[0].removeprefix(LEFT_OUT) for cells in lines if cells[0].startswith(LEFT_OUT)]
        return Metrics(rows, tuple(left_out))
    except (UnicodeDecodeError, ValueError, TypeError, IndexError, csv.Error) as error:
        raise DamagedFile(f"not a whole metrics table ({error})") from error
