"""`touchstone compare`: what differs between two reports, of two studies or of two git revisions."""

from __future__ import annotations

import csv
import io
import json
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from touchstone.pipeline.provenance import git
from touchstone.pipeline.settings.files import DEFAULT_STUDY
from touchstone.report import packing

Rows = list[dict[str, str]]
KEY = ("evaluation", "entry", "examples", "metric", "seed", "threat")
FILES = "files"  # the column that does not count: where a number was computed from, not what it is
VERDICT = "status"  # the column of claims.csv that holds a claim's verdict
NUMBERS = ("value", "measured", "low", "high", "base_rate")  # columns that are shown to six digits
RELATIVE, ABSOLUTE = 1e-9, 1e-12  # numbers that differ by less, of themselves or at all, differ by rounding only
MOVED, APART = "moved", "moved beyond both intervals"


@dataclass(frozen=True)
class Report:
    """The two tables of one report, and how it was named."""

    name: str
    metrics: Rows
    claims: Rows


@dataclass(frozen=True)
class Change:
    """A row that differs between two reports: its columns that do, by name, as the first and the second have them.

    verdict: where its value differs, whether the intervals still touch (MOVED) or not (APART).
    """

    about: str
    columns: dict[str, tuple[str, str]]
    verdict: str = ""

    @property
    def by(self) -> float:
        """How far its value moved, up or down."""
        before, after = self.columns.get("value", ("0", "0"))
        return float(after) - float(before)


@dataclass(frozen=True)
class Differences:
    """How the rows of one table differ: how many are equal, how many by rounding only, and the rest."""

    same: int
    rounded: int
    changed: list[Change]
    only_first: list[str]
    only_second: list[str]

    @property
    def any(self) -> bool:
        """Whether anything differs by more than rounding."""
        return bool(self.changed or self.only_first or self.only_second)


@dataclass(frozen=True)
class Comparison:
    """All that differs between two reports: their numbers and their claims."""

    metrics: Differences
    claims: Differences


def run_compare(first: str, second: str, most: int, as_json: bool) -> int:
    """Print what differs between two reports, at most `most` lines of each table.

    Returns 0 where nothing differs by more than rounding, else 1, as `diff` does.
    """
    reports = read(first), read(second)
    found = compare(*reports)
    if as_json:
        print(json.dumps(asdict(found), indent=1))
    else:
        _show(found, reports, most)
    return int(found.metrics.any or found.claims.any)


def read(name: str, root: Path = Path()) -> Report:
    """Return a report: STUDY, REVISION (of the default study), REVISION:STUDY, or the folder that holds metrics.csv.gz.

    A revision's tables are read from git, which holds those of every committed report. ValueError where there is none.
    """
    revision, _, study = name.rpartition(":")
    folder = root / name if (root / name).is_dir() else root / "reports" / name
    if not revision and (folder / packing.METRICS).is_file():
        return _report(name, lambda file: (folder / file).read_bytes())
    revision, study = (revision, study) if revision else (name, DEFAULT_STUDY)
    if not git.output(root, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}"):
        raise ValueError(
            f"{name}: neither a study with a report under reports/, nor a folder with {packing.METRICS}, nor a git revision"
        )

    def show(file: str) -> bytes:
        data = git.output(root, "show", f"{revision}:reports/{study}/{file}")
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
    """Return what differs between two reports: first the numbers farthest beyond their intervals, and verdicts that turned.

    Every column counts but the files. A number whose threat model alone was rewritten is the same number, changed.
    """
    metrics = _differences(first.metrics, second.metrics, KEY, _about)
    metrics.changed.sort(key=lambda change: (change.verdict != APART, -abs(change.by)))
    claims = _differences(first.claims, second.claims, ("claim",), lambda row: row["claim"])
    claims.changed.sort(key=lambda change: VERDICT not in change.columns)
    return Comparison(metrics, claims)


def _differences(
    first: Rows, second: Rows, key: tuple[str, ...], about: Callable[[dict[str, str]], str]
) -> Differences:
    pairs, alone = _paired(first, second, key)
    if len(key) > 1:  # what is left may be the same but for the last part of the key
        more, alone = _paired(*alone, key[:-1])
        pairs += more
    changes = [(change, exact) for change, exact in (_change(about(before), before, after) for before, after in pairs)]
    return Differences(
        same=sum(exact for _, exact in changes),
        rounded=sum(not (exact or change.columns) for change, exact in changes),
        changed=[change for change, _ in changes if change.columns],
        only_first=[about(row) for row in alone[0]],
        only_second=[about(row) for row in alone[1]],
    )


def _paired(
    first: Rows, second: Rows, key: tuple[str, ...]
) -> tuple[list[tuple[dict[str, str], dict[str, str]]], tuple[Rows, Rows]]:
    """Return the rows of two tables that are about the same, in pairs, and those that only one table has.

    Of several rows with one key, the first goes with the first, the second with the second, and so on.
    """
    waiting: dict[tuple[str, ...], Rows] = {}
    for row in second:
        waiting.setdefault(tuple(row.get(name, "") for name in key), []).append(row)
    pairs, only_first = [], []
    for row in first:
        if others := waiting.get(tuple(row.get(name, "") for name in key)):
            pairs.append((row, others.pop(0)))
        else:
            only_first.append(row)
    return pairs, (only_first, [row for rows in waiting.values() for row in rows])


def _about(row: dict[str, str]) -> str:
    seed = f" seed {row['seed']}" if row["seed"] else ""
    threat = f" ({row['threat']})" if row["threat"] not in ("", "none") else ""
    return f"{row['evaluation']}: {row['metric']} of {row['entry']}{seed} on {row['examples']}{threat}"


def _change(about: str, before: dict[str, str], after: dict[str, str]) -> tuple[Change, bool]:
    """Return the columns of a row that differ by more than rounding, and whether it is equal to the last digit."""
    names = [name for name in dict.fromkeys((*before, *after)) if name != FILES]
    pairs = {name: (before.get(name, ""), after.get(name, "")) for name in names}
    different = {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
    columns = {name: pair for name, pair in different.items() if not _close(*pair)}
    verdict = ""
    if "value" in columns:
        ends = [tuple(float(row[end] or row["value"]) for end in ("low", "high")) for row in (before, after)]
        verdict = APART if ends[0][1] < ends[1][0] or ends[1][1] < ends[0][0] else MOVED
    return Change(about, columns, verdict), not different


def _close(first: str, second: str) -> bool:
    """Return whether two texts are numbers that differ by rounding only; whole numbers never do."""
    try:
        return math.isclose(float(first), float(second), rel_tol=RELATIVE, abs_tol=ABSOLUTE)
    except ValueError:
        return False


def _show(found: Comparison, reports: tuple[Report, Report], most: int) -> None:
    first, second = (report.name for report in reports)
    for heading, noun, differences in (("number", "numbers", found.metrics), ("claim", "claims", found.claims)):
        _table(heading, differences.changed, most, first, second)
        for name, rows in ((first, differences.only_first), (second, differences.only_second)):
            for about in rows[:most]:
                print(f"only in {name}: {about}")
        print(_summary(noun, differences, first, second))


def _table(heading: str, changes: list[Change], most: int, first: str, second: str) -> None:
    if not changes:
        return
    table = Table(heading, "column", first, second, "", box=box.SIMPLE)
    for change in changes[:most]:
        about = change.about
        for name, (before, after) in change.columns.items():
            shown = (_short(before), _short(after)) if name in NUMBERS else (before, after)
            told = f"{change.by:+.3g}, {change.verdict}" if name == "value" else ""
            table.add_row(
                Text(about), name, *map(Text, shown), Text(told, "bold red" if change.verdict == APART else "")
            )
            about = ""
    Console().print(table)
    if len(changes) > most:
        print(f"{most} of {len(changes)} shown (--most shows more)")


def _short(number: str) -> str:
    return f"{float(number):.6g}" if number else ""


def _summary(noun: str, found: Differences, first: str, second: str) -> str:
    counts = Counter(name for change in found.changed for name in change.columns)
    which = ", ".join(f"{count} in {name}" for name, count in counts.items())
    beyond = sum(change.verdict == APART for change in found.changed)
    which = f" ({which}; {beyond} beyond both intervals)" if beyond else f" ({which})" if which else ""
    rounded = f", {_differ(found.rounded)} by rounding only" if found.rounded else ""
    alone = f"{len(found.only_first)} only in {first}, {len(found.only_second)} only in {second}"
    return f"{found.same} {noun} are equal{rounded}; {_differ(len(found.changed))}{which}; {alone}."


def _differ(count: int) -> str:
    return f"{count} differs" if count == 1 else f"{count} differ"
