"""Where the page's numbers come from: the rows and files that a click on a number opens."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, NotRequired, TypedDict

from touchstone.records.metric_tables import MetricRow
from touchstone.report.claim_table import ClaimLine
from touchstone.report.tables import Number

DIGITS = 8  # of a digest on the page, 32 bits; `touchstone trace` prints all 64
UNKNOWN = "?" * DIGITS  # in place of the digest of a file that is only named
# The code that turns metrics rows into a claim's number and status word.
JUDGES = ["claims/measurements.py", "claims/verdicts.py", "claims/judging.py"]


class Maker(TypedDict):
    """The code and the packages that the report itself was made with."""

    code: str
    code_files: list[str]
    packages: dict[str, str]


class Source(TypedDict):
    """Where one file came from, as its sidecar says."""

    digest: str
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


def rows_behind(shown: Iterable[int], rows: list[MetricRow]) -> list[MetricRow]:
    """Return the rows whose lines are shown, those of their seeds, and those that claims were computed from."""
    by_line = {row.line: row for row in rows}
    seeds: dict[tuple[str, ...], list[int]] = {}
    for row in rows:
        if row.seed is not None:
            seeds.setdefault(_quantity(row), []).append(row.line)
    lines, waiting = set[int](), [*shown]
    while waiting:
        line = waiting.pop()
        if line not in lines:
            lines.add(line)
            row = by_line[line]
            waiting += [*row.of, *(seeds.get(_quantity(row), ()) if row.seed is None else ())]
    return [row for row in rows if row.line in lines]


def _quantity(row: MetricRow) -> tuple[str, ...]:
    return row.evaluation, row.entry, row.examples, row.measured


def compact(rows: list[MetricRow], files: list[str]) -> dict[str, Any]:
    """Return the rows as the page's script reads them: by column, each text and each list once.

    Numbers have five digits: metrics.csv.gz has all of them, and is named beside each number.

    Args:
        rows: in the order of their lines.
        files: their names; a row has the places of its files in this list.

    Returns:
        {"line": differences between lines, "value": numbers, ..., "entry": {"of": texts, "at": differences between their
        places}, ...}
    """
    places = {file: place for place, file in enumerate(files)}
    columns: dict[str, Any] = {
        "line": [row.line - before for row, before in zip(rows, [0, *(row.line for row in rows)], strict=False)],
        "value": [rounded(row.value, 5) for row in rows],
        "low": [rounded(row.low, 5) for row in rows],
        "high": [rounded(row.high, 5) for row in rows],
    }
    for name in CODED:
        columns[name] = _coded([_cell(row, name, places) for row in rows])
    computed = {row.evaluation: table_of(row.evaluation) for row in rows}
    tables = {name: places[file] for name, file in computed.items() if file in places}
    return {"columns": columns, "tables": tables, "of": {row.line: row.of for row in rows if row.of}}


def table_of(evaluation: str) -> str:
    """Return the name of the table of an evaluation."""
    return f"metrics/{evaluation}"


CODED = (
    "evaluation", "entry", "examples", "metric", "unit", "n", "base_rate", "seed", "threat", "method", "seeds", "files",
)  # fmt: skip


def _cell(row: MetricRow, name: str, places: Mapping[str, int]) -> Any:
    if name == "files":
        return _differences([places[file] for file in row.files])
    if name == "threat":
        return str(row.threat)
    return list(row.seeds) if name == "seeds" else getattr(row, name)


def _coded(values: list[Any]) -> dict[str, list[Any]]:
    """Return each value once, and the place of every row's value among them, as the difference from the one before."""
    places: dict[str, int] = {}
    for value in values:
        places.setdefault(json.dumps(value), len(places))
    at = [places[json.dumps(value)] for value in values]
    return {"of": [json.loads(value) for value in places], "at": _differences(at)}


def rounded(value: float | None, digits: int) -> float | None:
    """Return a number with so many digits; None stays None."""
    return None if value is None else float(f"{value:.{digits}g}")


def index(files: list[str], provenance: Mapping[str, Source]) -> dict[str, Any]:
    """Return where files came from, as the page's script reads it: values that many files share are stored once.

    Args:
        files: their names.
        provenance: {file: where it came from}; other files are only named.

    Returns:
        {"digest": of all files in one text, ..., "code": {"of": ..., "at": ...}}; files without provenance have question
        marks there and null elsewhere.
    """
    sources = [provenance.get(file) for file in files]
    places = {file: place for place, file in enumerate(files)}
    names = [file.rpartition("/") for file in files]

    scripts = {name: 0 for source in sources if source for name in source.get("code_files", [])}
    scripts = {name: place for place, name in enumerate(sorted(scripts))}

    def code(source: Source) -> list[int]:
        return _differences([scripts[name] for name in source.get("code_files", [])])

    def inputs(source: Source | None) -> list[int]:
        return _differences([places[name] for name in source.get("inputs", [])]) if source else []

    return {
        "folder": _coded([f"{folder}{slash}" for folder, slash, _ in names]),
        "name": [name for _, _, name in names],
        "digest": "".join(
            source["digest"].removeprefix("sha256:")[:DIGITS] if source else UNKNOWN for source in sources
        ),
        "step": _coded([source and source["step"] for source in sources]),
        "settings": _coded([source and source["settings"] for source in sources]),
        "scripts": list(scripts),
        "code": _coded([source and [source["code"], code(source)] for source in sources]),
        "inputs": _coded([inputs(source) for source in sources]),
        "command": _coded([source and source["command"] for source in sources]),
    }


def _differences(places: list[int]) -> list[int]:
    return [place - before for place, before in zip(places, [0, *places], strict=False)]


def remarks(numbers: Iterable[Number], claims: Iterable[ClaimLine], maker: Maker) -> dict[str, Any]:
    """Return what the page's script shows besides rows: how claims' numbers came about, and failed checks."""
    return {
        "how": {part.number.line: part.how for line in claims for part in line.numbers},
        "doubts": {number.line: number.doubt for number in numbers if number.doubt},
        "maker": {"code": maker["code"], "files": JUDGES},
    }
