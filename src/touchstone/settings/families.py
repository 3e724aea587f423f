"""Families of example sets: outliers that a network was trained on make every test set of their family look easy."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import PurePosixPath
from typing import Any

READING = "data/own_images"  # it reads whatever files there are, so two of its sets are alike only by their source
# These components select rows and change no image.
SELECTING = ("data/subset", "data/held_out_classes", "data/class_split", "data/two_classes", "data/without_rows")
# These read sources that have no test images of their own: the split draws them, too.
RANDOM_TEST = ("data/digits", READING)

Settings = Mapping[str, Any]  # of an entry of examples: its "use", and its "source" or the set that it is made "of"


def sources_of(names: Collection[str], examples: Mapping[str, Settings]) -> set[str]:
    """Return the sources of sets, followed through the sets that they are made of."""
    roots = [examples[way_to(name, examples)[0]] for name in names]
    return {entry["source"] for entry in roots if entry.get("source")}


def way_to(name: str, examples: Mapping[str, Settings]) -> list[str]:
    """Return the sets that lead to a set, each made of the one before: the original first, the set itself last."""
    origin = examples[name].get("of")
    return [*(way_to(origin, examples) if origin else ()), name]


def share_images(one: str, other: str, examples: Mapping[str, Settings]) -> bool:
    """Return whether two sets surely have unchanged images in common. Only the job that prepares them can tell of others."""
    ways = [[examples[name] for name in way_to(set_, examples)] for set_ in (one, other)]
    (first, *ours), (second, *theirs) = ways
    if any(entry["use"] not in SELECTING for entry in (*ours, *theirs)) or not _overlap(first, second):
        return False
    if first.get("split_seed") != second.get("split_seed"):
        return not ours and not theirs
    while ours and theirs and _without(ours[0], "of") == _without(theirs[0], "of"):
        ours, theirs = ours[1:], theirs[1:]
    return not ours or not theirs or _common_rows(ours[0], theirs[0])


def _overlap(first: Settings, second: Settings) -> bool:
    """Return whether two entries that read a source read some of its rows alike."""
    if not first.get("source") or (first["use"], first["source"]) != (second["use"], second["source"]):
        return False
    parts = {first.get("part"), second.get("part")}
    if "split_seed" in first:
        one, other = (PurePosixPath(entry.get("inside") or ".") for entry in (first, second))
        if one != other:  # a whole folder has every part of the folders in it
            outer = second if one.is_relative_to(other) else first if other.is_relative_to(one) else None
            return outer is not None and outer.get("part") == "all"
        if first["split_seed"] == second["split_seed"]:
            return len(parts) == 1 or "all" in parts
        return first["use"] in RANDOM_TEST or "test" not in parts or len(parts) == 1
    alike = _without(first, "part", "limit") == _without(second, "part", "limit")
    return alike and (len(parts) == 1 or "all" in parts)


def _without(entry: Settings, *keys: str) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key not in keys}


def _common_rows(first: Settings, second: Settings) -> bool:
    """Return whether two subsets of one set surely have rows in common."""
    if {first["use"], second["use"]} != {"data/subset"} or first["split_seed"] != second["split_seed"]:
        return False
    return bool(first["skip"] < second["skip"] + second["count"] and second["skip"] < first["skip"] + first["count"])


def family(name: str, examples: Mapping[str, Settings], trained: Collection[str]) -> dict[str, str]:
    """Return the marks of a set. Two sets that share a mark are of one family (docs/papers/shared.md, Data and leakage).

    The marks of a set are the component that makes it, its source, and the marks of the set that it is made of. Selecting
    rows is no mark, and neither is reading files of the user's own.

    Args:
        name: of the set.
        examples: the entries of the study's section.
        trained: the sources that a network is trained on. They are no marks, so unchanged rows of them have none.

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
    return {} if entry["use"] == READING else {entry["use"]: f"made by {entry['use']}"}
