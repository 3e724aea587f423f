"""Mistakes about files of the user's own that only a look at these files shows: before a run, not in its first job."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from touchstone.messages import nearest
from touchstone.pipeline.orchestration import own_sources
from touchstone.provenance.job_folders import RAW
from touchstone.settings.files import ParamsError, typed_path, written_at
from touchstone.settings.known_sets import Shape, known
from touchstone.settings.set_checks import other_shape, own_remedy, trained_set
from touchstone.settings.study import Study

READER = "data/own_images"
TRIED = 20  # pictures of a set that are opened
Mistake = tuple[str, str, str]  # entry, its setting, what is wrong


class Look(NamedTuple):
    """What a look at a set of the user's own shows.

    Attributes:
        rows: how many images it has; None if an array file has them.
        shape: of its first images; None if nobody looked.
        classes: the class folders by number, if their names decide it; "" for a number that no folder has.
    """

    rows: int | None
    shape: Shape | None = None
    classes: tuple[str, ...] = ()


def check(study: Study) -> dict[str, int]:
    """Check that files of the user's own are there, have classes where labels are read, and are as many as are taken.

    Files that were copied into data/raw before may have gone since. Files of arrays are not read.

    Returns:
        Set -> how many images it takes from a folder of the user's pictures.

    Raises:
        ParamsError: lists every mistake with file, line and key.
    """
    looks: dict[str, Look] = {}
    mistakes = [
        *_missing(study["sources"]), *_named_twice(study["sources"]), *_unfit(study, looks),
        *_too_many(study, looks), *_unlike(study, looks), *_renumbered(study, looks),
    ]  # fmt: skip
    if mistakes:
        raise ParamsError("\n".join(f"{_written(study, name, key)}: {reason}" for name, key, reason in mistakes))
    limits = {name: study["examples"][name]["limit"] for name in looks}
    return {name: min(rows, limits[name] or rows) for name, (rows, _, _) in looks.items() if rows is not None}


def _missing(sources: dict[str, Any]) -> Iterator[Mistake]:
    """Yield the sources whose files are neither where the study says nor copied already."""
    for name, entry in sources.items():
        place = own_sources.place(entry)
        if place is not None and not place.exists() and not Path(RAW, name).exists():
            yield (
                name,
                "location" if entry["use"] in own_sources.COPYING else "local_folder",
                f"there is nothing at {place}; name the place of the files, or leave {name} out by scale.absent",
            )


def _named_twice(sources: dict[str, Any]) -> Iterator[Mistake]:
    """Yield the sources with the files of another: their sets could share images, and nobody would see it by their names."""
    first: dict[Path, str] = {}
    for name, entry in sources.items():
        if entry["use"] == "sources/own_files":
            other = first.setdefault(typed_path(entry["location"]).resolve(), name)
            if other != name:
                yield (
                    name,
                    "location",
                    f"has the files of {other}; let sets of {other} take parts of it, by `inside` or `part`",
                )


def _unfit(study: Study, looks: dict[str, Look]) -> Iterator[Mistake]:
    """Yield the sets of pictures that cannot be read as the study says.

    Args:
        study: to be checked.
        looks: receives what each set of the user's own that can be read shows.
    """
    for name, entry in study["examples"].items():
        if entry["use"] == READER and (folder := _folder(study["sources"][entry["source"]], entry["source"])):
            place = folder / (entry["inside"] or "")
            if not place.exists():
                names = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
                reason = f"{folder} contains no {entry['inside']}; it contains {_some(names)}"
                yield name, "inside", reason + nearest(entry["inside"], names)
                continue
            try:
                looks[name] = _look(folder, place, entry)
            except ValueError as error:
                no_classes = entry["labelled"] and ": no classes: " in str(error)
                remedy = ", or write labelled: false if they show none" if no_classes else ""
                yield name, "labelled" if no_classes else "use", f"{error}{remedy}"


def _too_many(study: Study, looks: dict[str, Look]) -> Iterator[Mistake]:
    """Yield the sets that take more of the user's images than there are."""
    for name, entry in study["examples"].items():
        origin = entry["of"] or name
        rows = looks[origin].rows if origin in looks else None
        for key in ("limit", "count"):
            wanted, skipped = entry.get(key), entry.get("skip", 0)
            if rows is not None and wanted is not None and skipped + wanted > rows:
                after = f" after the first {skipped:,}" if skipped else ""
                yield name, key, f"{origin} has {rows:,} images, and this takes {wanted:,}{after}; take fewer"


def _unlike(study: Study, looks: dict[str, Look]) -> Iterator[Mistake]:
    """Yield the sets whose images have another shape than those that networks train on, where no setting says so."""
    if train := trained_set(study.settings):
        wanted = known(train, study["examples"], study["sources"]).shape or looks.get(train, Look(None)).shape
        for name, (_, shape, _) in looks.items():
            if shape and wanted and shape != wanted:
                key, remedy = own_remedy(shape, wanted)
                yield name, key, f"{other_shape(shape, wanted, train)}; {remedy}"


def _renumbered(study: Study, looks: dict[str, Look]) -> Iterator[Mistake]:
    """Yield the sets in which the names of the folders give a class another number than in a set of another source."""
    before: dict[str, Look] = {}
    for name, look in looks.items():
        for other, theirs in before.items():
            if study["examples"][name]["source"] == study["examples"][other]["source"]:
                continue
            pairs = [pair for pair in zip(look.classes, theirs.classes, strict=False) if all(pair)]
            unlike = next((number for number, (one, two) in enumerate(pairs) if one != two), None)
            if unlike is not None and {*look.classes} & {*theirs.classes} - {""}:
                own, their = pairs[unlike]
                reason = (
                    f"class {unlike} is {own} in {name} and {their} in {other}, by the order of their folders' names"
                )
                remedy = "write the same classes for both, or labelled: false for one that shows none of the other's"
                yield name, "classes", f"{reason}; {remedy}"
                break
        before[name] = look


def _folder(source: dict[str, Any], name: str) -> Path | None:
    """Return the folder of a user's pictures, or its copy; None if there is none, as before a download."""
    location = typed_path(source.get("location") or f"{RAW}/{name}")
    return next((place for place in (location, Path(RAW, name)) if place.is_dir()), None)


def _look(folder: Path, place: Path, entry: dict[str, Any]) -> Look:
    """Return how many images a set of pictures can take, and the shape of the first of them.

    Raises:
        ValueError: The folder has no pictures, or none in folders of classes, or too few for the part, or one of the
            first cannot be read, or they differ in shape.
    """
    # They import numpy and PIL, which other studies do without.
    from touchstone.data.ingest.splits import rows_of_part
    from touchstone.data.ingest.user_arrays import ARRAYS
    from touchstone.data.ingest.user_folder import files_in
    from touchstone.data.ingest.user_images import own_images
    from touchstone.data.ingest.user_pictures import Shaping
    from touchstone.data.own_images import SHARES, class_folders, empty

    if place.is_file() or any(file.suffix.lower() in ARRAYS for file in files_in(place)):
        return Look(None)
    by_name = entry["labelled"] and not entry["classes"]
    others = class_folders(folder, place) if by_name else []
    found = own_images(place, entry["classes"] or (), labelled=entry["labelled"], others=others)
    sides = (entry["height"], entry["width"])
    shaping = Shaping(sides if all(sides) else None, entry["colour"])
    first: dict[Shape, str] = {}
    for row in range(min(TRIED, len(found))):
        images, broken, _, _ = found.read([row], shaping)
        if not broken:
            first.setdefault(images.shape[1:], found.names[row])
        elif entry["broken"] == "refuse":
            name, reason = broken[0]
            raise ValueError(f"{place / name}: {reason}; replace it, or write broken: leave_out")
    if len(first) > 1:
        shown = [f"{name} is {' x '.join(map(str, shape))}" for shape, name in first.items()]
        raise ValueError(f"{place}: {' and '.join(shown[:2])} (channels, height, width); {_needed(*first)}")
    whole = entry["part"] == "all"
    rows = len(found) if whole else len(rows_of_part(found.labels, SHARES, entry["part"], seed=entry["split_seed"]))
    if not rows:
        raise ValueError(empty(entry["part"], len(found), place))
    return Look(rows, next(iter(first), None), found.classes if by_name else ())


def _needed(one: Shape, other: Shape, *more: Shape) -> str:
    """Return the settings that give pictures of several shapes one."""
    of_size = ["height and width"] if one[1:] != other[1:] else []
    of_colour = ["colour: gray or colour: rgb"] if one[0] != other[0] else []
    return f"write {' and '.join(of_size + of_colour)}"


def _some(names: list[str]) -> str:
    """Return the first of some names as messages list them."""
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more." if len(names) > 5 else ".")


def _written(study: Study, name: str, key: str) -> str:
    return written_at(study.files, "data", name, key) or f"{study.name}: {name}.{key}"
