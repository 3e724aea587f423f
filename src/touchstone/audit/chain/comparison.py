"""`touchstone compare`: list the differences between two reports."""

from __future__ import annotations

import json
import math
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from touchstone.audit.chain import report_tables
from touchstone.audit.chain.row_names import CLAIM, NUMBER, UNCHANGED, Names, read_names
from touchstone.messages import printable, say, unguarded
from touchstone.provenance import git
from touchstone.report import packing
from touchstone.settings.files import DEFAULT_STUDY

Rows = list[dict[str, str]]
FILES = "files"  # the column that is not compared: the files from which a number was computed
VERDICT = "status"  # the column of claims.csv that holds a claim's verdict
NUMBERS = ("value", "measured", "low", "high", "base_rate")  # columns that are shown to six digits
RELATIVE, ABSOLUTE = 1e-9, 1e-12  # numbers that differ by less differ only by rounding
MOVED, APART = "moved", "moved beyond both intervals"


@dataclass(frozen=True)
class Report:
    """The two tables of one report, and the name by which the user selected it."""

    name: str
    metrics: Rows
    claims: Rows


@dataclass(frozen=True)
class Change:
    """A row that differs between two reports.

    Attributes:
        about: what the row is about.
        columns: {column: (first, second)} for the columns that differ.
        verdict: if the value differs, MOVED if the intervals overlap or APART if not; otherwise "".
    """

    about: str
    columns: dict[str, tuple[str, str]]
    verdict: str = ""

    @property
    def by(self) -> float:
        """The signed change of the row's value."""
        before, after = self.columns.get("value", ("0", "0"))
        return float(after) - float(before)


@dataclass(frozen=True)
class Differences:
    """The differences between the rows of one table.

    Attributes:
        same: the number of equal rows.
        rounded: the number of rows that differ only by rounding.
        changed: the other rows that differ.
        only_first: rows that only the first report has.
        only_second: rows that only the second report has.
        columns: columns that only one report has; rows are compared in the others.
        renamed: the number of rows of the first report that were compared under a new name.
        removed: the number of rows of the first report that were left out, because they were removed.
    """

    same: int
    rounded: int
    changed: list[Change]
    only_first: list[str]
    only_second: list[str]
    columns: list[str]
    renamed: int = 0
    removed: int = 0

    @property
    def any(self) -> bool:
        """Whether anything differs by more than rounding."""
        return bool(self.changed or self.only_first or self.only_second or self.columns)


@dataclass(frozen=True)
class Comparison:
    """The differences between two reports, in their numbers and in their claims."""

    metrics: Differences
    claims: Differences


def run_compare(first: str, second: str, most: int, as_json: bool, names: Path | None = None) -> int:
    """Print the differences between two reports.

    Args:
        first: A report, as for `read`.
        second: Another report.
        most: The maximum number of lines per table.
        as_json: Whether to print JSON.
        names: A table of the rows that were renamed or removed since the first report, as for `read_names`.

    Returns:
        0 if nothing differs by more than rounding, else 1, like `diff`.
    """
    reports = read(first), read(second)
    differences = compare(*reports, read_names(names) if names else UNCHANGED)
    if as_json:
        print(json.dumps(asdict(differences), indent=1))
    else:
        _show(differences, reports, most)
    return int(differences.metrics.any or differences.claims.any)


def read(name: str, root: Path = Path()) -> Report:
    """Return a report by its name.

    Args:
        name: STUDY, REVISION (of the default study), REVISION:STUDY, or the folder that contains metrics.csv.gz. The
            tables of a revision are read from git.
        root: The project's folder.

    Raises:
        ValueError: There is no such report.
    """
    revision, _, study = name.rpartition(":")
    folder = root / name if (root / name / packing.METRICS).is_file() else root / "reports" / name
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
    numbers = report_tables.numbers(f"{name}: {packing.METRICS}", read(packing.METRICS))
    return Report(name, numbers, report_tables.claims(f"{name}: {report_tables.CLAIMS}", read(report_tables.CLAIMS)))


def compare(first: Report, second: Report, names: Names = UNCHANGED) -> Comparison:
    """Return the differences between two reports, the most important first.

    Numbers beyond both intervals precede other numbers, and changed verdicts precede other changes of claims. All
    columns that both have, except `files`, are compared. A number of which only the threat model differs is reported as
    changed. A row of the first report that `names` renames is compared under its new name.
    """
    metrics = _differences(first.metrics, second.metrics, NUMBER, _about, names)
    metrics.changed.sort(key=lambda change: (change.verdict != APART, -abs(change.by)))
    claims = _differences(first.claims, second.claims, CLAIM, lambda row: row["claim"], names)
    claims.changed.sort(key=lambda change: VERDICT not in change.columns)
    return Comparison(metrics, claims)


def _differences(
    first: Rows, second: Rows, key: tuple[str, ...], about: Callable[[dict[str, str]], str], names: Names
) -> Differences:
    first, renamed, removed = names.apply(first, about)
    words_of_renamed = {new: f"{old}, which is renamed to {new}" for new, old in renamed}
    words_of_removed = {name: f"{name}, which the table of names lists as removed" for name in removed}
    pairs, unpaired = _paired(first, second, key)
    if len(key) > 1:  # the remaining rows may differ only in the last part of the key
        more, unpaired = _paired(*unpaired, key[:-1])
        pairs += more
    changes = [_change(about(before), before, after) for before, after in pairs]
    return Differences(
        same=sum(exact for _, exact in changes),
        rounded=sum(not (exact or change.columns) for change, exact in changes),
        changed=[change for change, _ in changes if change.columns],
        only_first=[words_of_renamed.get(name, name) for name in map(about, unpaired[0])],
        only_second=[words_of_removed.get(name, name) for name in map(about, unpaired[1])],
        columns=sorted((first[0].keys() ^ second[0].keys()) - {FILES}) if first and second else [],
        renamed=len(renamed),
        removed=len(removed),
    )


def _paired(
    first: Rows, second: Rows, key: tuple[str, ...]
) -> tuple[list[tuple[dict[str, str], dict[str, str]]], tuple[Rows, Rows]]:
    """Return the pairs of rows with equal keys, and the rows that only one table has.

    If several rows have the same key, they are paired in order.
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
    """Return a row's change by more than rounding, and whether the row is exactly equal."""
    pairs = {name: (before[name], after[name]) for name in before if name in after and name != FILES}
    different = {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}
    columns = {name: pair for name, pair in different.items() if not _close(*pair)}
    verdict = ""
    if "value" in columns:
        unknown = {"low": -math.inf, "high": math.inf}  # no interval, or an open end
        ends = [tuple(float(row[end] or unknown[end]) for end in unknown) for row in (before, after)]
        verdict = APART if ends[0][1] < ends[1][0] or ends[1][1] < ends[0][0] else MOVED
    return Change(about, columns, verdict), not different


def _close(first: str, second: str) -> bool:
    """Return whether two texts are numbers that differ only by rounding."""
    try:
        return math.isclose(float(first), float(second), rel_tol=RELATIVE, abs_tol=ABSOLUTE)
    except ValueError:
        return False


def _show(comparison: Comparison, reports: tuple[Report, Report], most: int) -> None:
    first, second = (report.name for report in reports)
    for heading, noun, differences in (
        ("number", "numbers", comparison.metrics),
        ("claim", "claims", comparison.claims),
    ):
        _table(heading, differences.changed, most, first, second)
        for name, rows in ((first, differences.only_first), (second, differences.only_second)):
            for about in rows[:most]:
                say(f"only in {name}: {about}")
        if differences.columns:
            say(f"{noun}: only one of the reports has the column {', '.join(differences.columns)}")
        say(_summary(noun, differences, first, second))


def _table(heading: str, changes: list[Change], most: int, first: str, second: str) -> None:
    if not changes:
        return
    table = Table(*(Column(_cell(each)) for each in (heading, "column", first, second, "")), box=box.SIMPLE)
    for change in changes[:most]:
        about = change.about
        for name, (before, after) in change.columns.items():
            shown = (_short(before), _short(after)) if name in NUMBERS else (before, after)
            move = f"{change.by:+.3g}, {change.verdict}" if name == "value" else ""
            table.add_row(*map(_cell, (about, name, *shown)), Text(move, "bold red" if change.verdict == APART else ""))
            about = ""
    Console(file=unguarded(sys.stdout)).print(table)
    if len(changes) > most:
        print(f"{most} of {len(changes)} shown (--most shows more)")


def _cell(text: str) -> Text:
    return Text(printable(text))


def _short(number: str) -> str:
    return f"{float(number):.6g}" if number else ""


def _summary(noun: str, differences: Differences, first: str, second: str) -> str:
    counts = Counter(name for change in differences.changed for name in change.columns)
    which = ", ".join(f"{count} in {name}" for name, count in counts.items())
    beyond = sum(change.verdict == APART for change in differences.changed)
    which = f" ({which}; {beyond} beyond both intervals)" if beyond else f" ({which})" if which else ""
    rounded = f", {_differ(differences.rounded)} by rounding only" if differences.rounded else ""
    unpaired = f"{len(differences.only_first)} only in {first}, {len(differences.only_second)} only in {second}"
    if differences.renamed or differences.removed:
        unpaired += f"; {differences.renamed} renamed, {differences.removed} removed"
    return f"{differences.same} {noun} are equal{rounded}; {_differ(len(differences.changed))}{which}; {unpaired}."


def _differ(count: int) -> str:
    return f"{count} differs" if count == 1 else f"{count} differ"
