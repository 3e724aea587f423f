"""`touchstone compare`: which numbers and verdicts moved between two reports, of two studies or of two git revisions."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from touchstone import git, packing
from touchstone.settings_files import DEFAULT_STUDY

Rows = list[dict[str, str]]
KEY = ("evaluation", "entry", "examples", "metric", "seed", "threat")
SAME, MOVED, APART = "", "moved", "moved beyond both intervals"


@dataclass(frozen=True)
class Report:
    """The two tables of one report, and how it was named."""

    name: str
    metrics: Rows
    claims: Rows


@dataclass(frozen=True)
class Move:
    """One metric in two reports; `verdict` says whether the intervals still touch."""

    about: str
    before: float
    after: float
    verdict: str

    @property
    def by(self) -> float:
        """How far it moved, up or down."""
        return self.after - self.before


@dataclass(frozen=True)
class Turned:
    """A claim whose status differs."""

    claim: str
    before: str
    after: str


@dataclass(frozen=True)
class Comparison:
    """All that differs between two reports: `only_first` and `only_second` are numbers that the other lacks."""

    turned: list[Turned]
    moves: list[Move]
    same: int
    only_first: list[str]
    only_second: list[str]


def run_compare(first: str, second: str, most: int, as_json: bool) -> int:
    """Print what moved between two reports, at most `most` numbers; 0 where nothing did, else 1, as `diff` does."""
    reports = read(first), read(second)
    found = compare(*reports)
    if as_json:
        print(json.dumps(asdict(found), indent=1))
    else:
        _show(found, reports, most)
    return 1 if found.turned or found.moves or found.only_first or found.only_second else 0


def read(name: str, root: Path = Path()) -> Report:
    """Return a report: STUDY, REVISION (of the default study), REVISION:STUDY, or the folder that holds metrics.csv.gz.

    A revision's tables are read from git, which holds those of every committed report. ValueError where there is none.
    """
    revision, _, study = name.rpartition(":")
    folder = root / name if (root / name).is_dir() else root / "reports" / name
    if not revision and (folder / packing.METRICS).is_file():
        return _report(name, lambda file: (folder / file).read_bytes())
    revision, study = (revision, study) if revision else (name, DEFAULT_STUDY)
    if not git.said(root, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}"):
        raise ValueError(
            f"{name}: neither a study with a report under reports/, nor a folder with {packing.METRICS}, nor a git revision"
        )

    def show(file: str) -> bytes:
        data = git.said(root, "show", f"{revision}:reports/{study}/{file}")
        if data is None:
            raise ValueError(
                f"{name}: reports/{study}/{file} is not in that revision; only committed reports can be compared"
            )
        return data

    return _report(name, show)


def _report(name: str, read: Callable[[str], bytes]) -> Report:
    claims = csv.DictReader(io.StringIO(read("claims.csv").decode()))
    return Report(name, packing.rows_of(read(packing.METRICS)), list(claims))


def compare(first: Report, second: Report) -> Comparison:
    """Return what differs between two reports, the numbers that moved farthest beyond their intervals first."""
    before, after = ({_about(row): row for row in report.metrics} for report in (first, second))
    shared = [about for about in before if about in after]
    moves = [_move(about, before[about], after[about]) for about in shared]
    moved = [move for move in moves if move.verdict != SAME]
    statuses = {row["claim"]: row["status"] for row in second.claims}
    turned = [
        Turned(row["claim"], row["status"], statuses[row["claim"]])
        for row in first.claims
        if statuses.get(row["claim"], row["status"]) != row["status"]
    ]
    return Comparison(
        turned,
        sorted(moved, key=lambda move: (move.verdict != APART, -abs(move.by))),
        len(shared) - len(moved),
        [about for about in before if about not in after],
        [about for about in after if about not in before],
    )


def _about(row: dict[str, str]) -> str:
    seed = f" seed {row['seed']}" if row["seed"] else ""
    threat = f" ({row['threat']})" if row["threat"] not in ("", "none") else ""
    return f"{row['evaluation']}: {row['metric']} of {row['entry']}{seed} on {row['examples']}{threat}"


def _move(about: str, before: dict[str, str], after: dict[str, str]) -> Move:
    values = float(before["value"]), float(after["value"])
    if values[0] == values[1]:
        return Move(about, *values, SAME)
    ends = [tuple(float(row[end] or row["value"]) for end in ("low", "high")) for row in (before, after)]
    apart = ends[0][1] < ends[1][0] or ends[1][1] < ends[0][0]
    return Move(about, *values, APART if apart else MOVED)


def _show(found: Comparison, reports: tuple[Report, Report], most: int) -> None:
    first, second = (report.name for report in reports)
    console = Console()
    if found.turned:
        table = Table("claim", first, second, box=box.SIMPLE)
        for turned in found.turned:
            table.add_row(turned.claim, turned.before, turned.after)
        console.print(table)
    if found.moves:
        table = Table("number", first, second, "by", "", box=box.SIMPLE)
        for move in found.moves[:most]:
            style = "bold red" if move.verdict == APART else ""
            numbers = (f"{move.before:.4g}", f"{move.after:.4g}", f"{move.by:+.3g}")
            table.add_row(Text(move.about), *numbers, Text(move.verdict, style))
        console.print(table)
    beyond = sum(move.verdict == APART for move in found.moves)
    left = f", {most} shown (--most shows more)" if len(found.moves) > most else ""
    print(f"{found.same} numbers are equal; {len(found.moves)} moved, {beyond} of them beyond both intervals{left}; "
          f"{len(found.only_first)} only in {first}, {len(found.only_second)} only in {second}; "
          f"{len(found.turned)} verdicts differ.")  # fmt: skip
