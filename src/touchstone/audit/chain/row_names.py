"""A table of the rows that were renamed or removed between two reports, so that the others can be compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

from touchstone.messages import nearest
from touchstone.settings.files import read_yaml
from touchstone.settings.problems import Problems

Row = dict[str, str]
NUMBER = ("evaluation", "entry", "examples", "metric", "seed", "threat")  # the columns that name a number
CLAIM = ("claim",)  # the column that names a claim
RENAMED, REMOVED = "renamed", "removed"
PATTERN = "*?["  # what makes a text in `from` or `removed` a pattern


class Rule(NamedTuple):
    """One line of the table.

    Attributes:
        place: where it stands, such as "renamed.0".
        rows: {column: the text or pattern that it holds} of the rows that it is about.
        to: {column: its new text}; None if the rows were removed.
    """

    place: str
    rows: Row
    to: Row | None

    def matches(self, row: Row) -> bool:
        """Return whether it is about this row."""
        return all(name in row and fnmatchcase(row[name], pattern) for name, pattern in self.rows.items())


class Names(NamedTuple):
    """The lines of a table, and the file that holds it."""

    file: str = ""
    rules: tuple[Rule, ...] = ()

    def apply(self, rows: list[Row], about: Callable[[Row], str]) -> tuple[list[Row], list[tuple[str, str]], list[str]]:
        """Give rows their new names.

        Args:
            rows: of the older report.
            about: returns what a message calls a row.

        Returns:
            The rows that were not removed, under their new names; (new name, old name) of each that was renamed; and the
            name of each that was removed.

        Raises:
            ValueError: two lines are about the same row.
        """
        kept: list[tuple[Row, str]] = []
        removed: list[str] = []
        for row in rows:
            matching = [rule for rule in self.rules if rule.matches(row)]
            if len(matching) > 1:
                places = " and ".join(rule.place for rule in matching[:2])
                raise ValueError(f"{self.file}: {places} both match {about(row)}; only one line may be about a row")
            to = matching[0].to if matching else {}
            if to is None:
                removed.append(about(row))
            else:
                kept.append((row | to, about(row) if to else ""))
        return [row for row, _ in kept], [(about(row), old) for row, old in kept if old], removed


UNCHANGED = Names()


def read_names(path: Path) -> Names:
    """Read a table of names.

    It has two sections. An item of `renamed` is {from: ROWS, to: ROWS}, and an item of `removed` is ROWS: columns and
    what they hold, such as {evaluation: roc, metric: "auroc_*"}. `to` has only the columns that changed.

    Args:
        path: A YAML file.

    Returns:
        The table.

    Raises:
        ValueError: With file and line, if the file is missing, no YAML, or holds anything else.
    """
    content, problems, rules = read_yaml(path), Problems(path), []
    for section, items in content.items():
        if section not in (RENAMED, REMOVED):
            hint = nearest(section, (RENAMED, REMOVED))
            problems.add((section,), f"not a section. Sections are {RENAMED}, {REMOVED}.{hint}")
        elif not isinstance(items, list):
            problems.add((section,), "expected a list with an item for each change")
        else:
            rules += [
                rule
                for place, item in enumerate(items)
                for rule in _rule(section, (section, str(place)), item, problems)
            ]
    problems.stop()
    return Names(str(path), tuple(rules))


def _rule(section: str, place: tuple[str, ...], item: Any, problems: Problems) -> Iterator[Rule]:
    if section == REMOVED:
        if rows := _columns(place, item, problems):
            yield Rule(".".join(place), rows, None)
    elif not isinstance(item, dict) or item.keys() != {"from", "to"}:
        problems.add(place, "expected from and to, such as {from: {metric: auc}, to: {metric: auroc}}")
    else:
        rows, to = (_columns((*place, key), item[key], problems) for key in ("from", "to"))
        for name, text in to.items():
            if any(letter in text for letter in PATTERN):
                problems.add((*place, "to", name), "a new name has no *, ? or [; write one item for each name")
        if rows and to and ("claim" in rows) != ("claim" in to):
            problems.add(place, "from and to are about different tables; name a claim in both or in neither")
        yield Rule(".".join(place), rows, to)


def _columns(place: tuple[str, ...], item: Any, problems: Problems) -> Row:
    """Return {column: text} of an item; record what is wrong with it."""
    if not isinstance(item, dict):
        problems.add(place, "expected columns and what they hold, such as {evaluation: robustness}")
        return {}
    if not item:
        problems.add(place, "names no column, so it would be about every row")
    for name, text in item.items():
        if name not in (*NUMBER, *CLAIM):
            known = ", ".join((*NUMBER, *CLAIM))
            problems.add(
                (*place, name),
                f"not a column that names a row. These are {known}.{nearest(name, (*NUMBER, *CLAIM))}",
            )
        elif isinstance(text, bool) or not isinstance(text, (str, int, float)):
            problems.add((*place, name), "expected a text or a pattern, such as roc or auroc_*")
    if "claim" in item and len(item) > 1:
        problems.add(place, "a claim has no other columns that name it")
    return {name: str(text) for name, text in item.items()}
