"""Which example sets are of one kind: outliers in training flatter a network on every test set of their family."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

SELECTING = ("data/subset", "data/held_out_classes", "data/two_classes", "data/without_rows")  # rows as they are

Entry = Mapping[str, Any]  # of examples in a study: its "use", and its "source" or the set that it is made "of"


def sources_of(names: Collection[str], examples: Mapping[str, Entry]) -> set[str]:
    """Return the sources that the named sets come from in the end."""
    return {entry["source"] for entry in (_root(examples[name], examples) for name in names) if entry.get("source")}


def _root(entry: Entry, examples: Mapping[str, Entry]) -> Entry:
    return _root(examples[entry["of"]], examples) if entry.get("of") else entry


def family(name: str, examples: Mapping[str, Entry], known: Collection[str]) -> dict[str, str]:
    """Return what makes a set what it is, {mark: in words}; two sets that share a mark are of one family.

    Marks: the component that makes it, its source, and those of the set that it is made of. known: the sources of what
    networks are trained to know, which is no mark, nor is taking some rows: a set of known rows as they are has none.
    papers.md 6.9.
    """
    entry = examples[name]
    if entry.get("of"):
        marks = family(entry["of"], examples, known)
        if marks:
            marks = {**marks, f"of {entry['of']}": f"made of {entry['of']}"}
        return marks if entry["use"] in SELECTING else marks | _made_by(entry)
    if entry.get("source") in known:
        return {}
    source = entry.get("source")
    return _made_by(entry) | ({f"source {source}": f"from {source}"} if source else {})


def _made_by(entry: Entry) -> dict[str, str]:
    return {entry["use"]: f"made by {entry['use']}"}
