"""Families of example sets: outliers that a network was trained on make every test set of their family look easy."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

# These components select rows and change no image.
SELECTING = ("data/subset", "data/held_out_classes", "data/class_split", "data/two_classes", "data/without_rows")

Settings = Mapping[str, Any]  # of an entry of examples: its "use", and its "source" or the set that it is made "of"


def sources_of(names: Collection[str], examples: Mapping[str, Settings]) -> set[str]:
    """Return the sources of sets, followed through the sets that they are made of."""
    return {entry["source"] for entry in (_root(examples[name], examples) for name in names) if entry.get("source")}


def _root(entry: Settings, examples: Mapping[str, Settings]) -> Settings:
    return _root(examples[entry["of"]], examples) if entry.get("of") else entry


def family(name: str, examples: Mapping[str, Settings], trained: Collection[str]) -> dict[str, str]:
    """Return the marks of a set. Two sets that share a mark are of one family (docs/papers/shared.md, Data and leakage).

    The marks of a set are the component that makes it, its source, and the marks of the set that it is made of. Selecting
    rows is no mark.

    Args:
        name: of the set.
        examples: the entries of the study's section.
        trained: the sources that networks are trained on. They are no marks, so unchanged rows of them have none.

    Returns:
        Mark -> how messages say it.
    """
    entry = examples[name]
    if entry.get("of"):
        marks = family(entry["of"], examples, trained)
        if marks:
            marks = {**marks, f"of {entry['of']}": f"made of {entry['of']}"}
        return marks if entry["use"] in SELECTING else marks | _made_by(entry)
    if entry.get("source") in trained:
        return {}
    source = entry.get("source")
    return _made_by(entry) | ({f"source {source}": f"from {source}"} if source else {})


def _made_by(entry: Settings) -> dict[str, str]:
    return {entry["use"]: f"made by {entry['use']}"}
