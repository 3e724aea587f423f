"""Where the page's numbers come from: the rows and files that a click on a number opens."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NotRequired, TypedDict

from touchstone.records.metric_tables import METRIC_COLUMNS, MetricRow
from touchstone.report.claim_table import ClaimLine
from touchstone.report.tables import Number
from touchstone.statistics.sanity_checks import Doubts

# The code that turns metrics rows into a claim's number and status word.
JUDGES = ["claims/measurements.py", "claims/verdicts.py", "claims/judging.py"]


class Maker(TypedDict):
    """The code and the packages that the report itself was made with."""

    code: str
    code_files: list[str]
    lock: str


class Source(TypedDict):
    """Where one file came from, as its sidecar says."""

    digest: str
    sidecar: str
    step: str
    settings: str
    code: str
    command: str
    inputs: NotRequired[list[str]]
    code_files: NotRequired[list[str]]


def with_origins(files: Iterable[str], provenance: Mapping[str, Source]) -> list[str]:
    """Return the files and all files that they were made from, each once."""
    reached = dict.fromkeys(files)
    waiting = list(reached)
    for file in waiting:  # grows while it is read
        inputs = provenance[file].get("inputs", []) if file in provenance else []
        new = [name for name in dict.fromkeys(inputs) if name not in reached]
        reached |= dict.fromkeys(new)
        waiting += new
    return list(reached)


def rows_behind(numbers: Iterable[Number], rows: list[MetricRow]) -> list[MetricRow]:
    """Return the rows of the numbers, of their seeds, and of what claims were computed from."""
    by_line = {row.line: row for row in rows}
    seeds: dict[tuple[str, ...], list[int]] = {}
    for row in rows:
        if row.seed is not None:
            seeds.setdefault(_quantity(row), []).append(row.line)
    lines, waiting = set[int](), [number.line for number in numbers]
    while waiting:
        line = waiting.pop()
        if line not in lines:
            lines.add(line)
            row = by_line[line]
            waiting += [*row.of, *(seeds.get(_quantity(row), ()) if row.seed is None else ())]
    return [row for row in rows if row.line in lines]


def _quantity(row: MetricRow) -> tuple[str, ...]:
    return row.evaluation, row.entry, row.examples, row.measured


def compact(rows: list[MetricRow], files: list[str], study: str) -> dict[str, Any]:
    """Return the rows as the page's script reads them, each file as its place in `files`."""
    places = {file: place for place, file in enumerate(files)}

    def cell(row: MetricRow, column: str) -> Any:
        if column == "files":
            return [places[file] for file in row.files]
        return str(row.threat) if column == "threat" else getattr(row, column)

    table = {row.line: [cell(row, column) for column in METRIC_COLUMNS] for row in rows}
    computed = {row.evaluation: f"data/{study}/metrics/{row.evaluation}.csv" for row in rows}
    tables = {name: places[file] for name, file in computed.items() if file in places}
    of = {row.line: row.of for row in rows if row.of}
    return {"columns": METRIC_COLUMNS, "rows": table, "tables": tables, "of": of}


def remarks(
    numbers: Iterable[Number], claims: Iterable[ClaimLine], doubts: Doubts, maker: Maker | None
) -> dict[str, Any]:
    """Return what the page's script shows besides rows: how claims' numbers came about, and failed checks."""
    return {
        "how": {number.line: number.title.split("; a check")[0] for line in claims for _, number, _ in line.numbers},
        "doubts": {number.line: number.doubt for number in numbers if number.doubt},
        "checks": doubts.evaluation,
        "maker": maker and {"code": maker["code"], "files": JUDGES},
    }
