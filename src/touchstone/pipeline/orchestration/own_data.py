"""Mistakes about files of the user's own that only a look at these files shows: before a run, not in its first job."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from touchstone.messages import nearest
from touchstone.pipeline.orchestration.own_sources import COPYING
from touchstone.pipeline.planning.layout import RAW
from touchstone.settings.files import ParamsError, written_at
from touchstone.settings.study import Study

READER = "data/own_images"
TRIED = 20  # pictures of a set that are opened
Mistake = tuple[str, str, str]  # entry, its setting, what is wrong


def check(study: Study) -> dict[str, int]:
    """Check that files of the user's own are there, have classes where labels are read, and are as many as are taken.

    Files that were copied into data/raw before may have gone since. Files of arrays are not read.

    Returns:
        Set -> how many images it takes from a folder of the user's pictures.

    Raises:
        ParamsError: lists every mistake with file, line and key.
    """
    rows: dict[str, int] = {}
    mistakes = [*_missing(study["sources"]), *_named_twice(study["sources"]), *_unfit(study, rows)]
    if mistakes:
        raise ParamsError("\n".join(f"{_written(study, name, key)}: {reason}" for name, key, reason in mistakes))
    limits = {name: study["examples"][name]["limit"] for name in rows}
    return {name: min(count, limits[name] or count) for name, count in rows.items() if count >= 0}


def _missing(sources: dict[str, Any]) -> Iterator[Mistake]:
    """Yield the sources whose files are neither where the study says nor copied already."""
    for name, entry in sources.items():
        key = "location" if entry["use"] in COPYING else "local_folder"
        place = Path(entry.get(key) or ".").expanduser()
        if not place.exists() and not Path(RAW, name).exists():
            yield (
                name,
                key,
                f"there is nothing at {place}; name the place of the files, or leave {name} out by scale.absent",
            )


def _named_twice(sources: dict[str, Any]) -> Iterator[Mistake]:
    """Yield the sources with the files of another: their sets could share images, and nobody would see it by their names."""
    first: dict[Path, str] = {}
    for name, entry in sources.items():
        if entry["use"] == "sources/own_files":
            other = first.setdefault(Path(entry["location"]).expanduser().resolve(), name)
            if other != name:
                yield (
                    name,
                    "location",
                    f"has the files of {other}; let sets of {other} take parts of it, by `inside` or `part`",
                )


def _unfit(study: Study, rows: dict[str, int]) -> Iterator[Mistake]:
    """Yield the sets of pictures that cannot be read as the study says, and those of more images than there are.

    Args:
        study: to be checked.
        rows: receives how many images each set of the user's own has; -1 if that is not known.
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
                rows[name] = _count(place, entry)
            except ValueError as error:
                no_classes = entry["labelled"] and ": no classes: " in str(error)
                remedy = ", or write labelled: false if they show none" if no_classes else ""
                yield name, "labelled" if no_classes else "use", f"{error}{remedy}"
    for name, entry in study["examples"].items():
        origin = entry["of"] or name
        for key in ("limit", "count"):
            wanted, skipped = entry.get(key), entry.get("skip", 0)
            if origin in rows and wanted is not None and skipped + wanted > rows[origin] >= 0:
                after = f" after the first {skipped:,}" if skipped else ""
                yield name, key, f"{origin} has {rows[origin]:,} images, and this takes {wanted:,}{after}; take fewer"


def _folder(source: dict[str, Any], name: str) -> Path | None:
    """Return the folder of a user's pictures, or its copy; None if there is none, as before a download."""
    location = Path(source.get("location") or Path(RAW, name)).expanduser()
    return next((place for place in (location, Path(RAW, name)) if place.is_dir()), None)


def _count(place: Path, entry: dict[str, Any]) -> int:
    """Return how many images a set of pictures can take; -1 if an array file has them.

    Raises:
        ValueError: The folder has no pictures, or none in folders of classes, or one of the first cannot be read.
    """
    # They import numpy and PIL, which other studies do without.
    from touchstone.data.ingest.splits import rows_of_part
    from touchstone.data.ingest.user_arrays import ARRAYS
    from touchstone.data.ingest.user_folder import files_in
    from touchstone.data.ingest.user_images import own_images
    from touchstone.data.ingest.user_pictures import Shaping
    from touchstone.data.own_images import SHARES

    if place.is_file() or any(file.suffix.lower() in ARRAYS for file in files_in(place)):
        return -1
    found = own_images(place, entry["classes"] or (), labelled=entry["labelled"])
    if entry["broken"] == "refuse":
        sides = (entry["height"], entry["width"])
        shaping = Shaping(sides if all(sides) else None, entry["colour"])
        for name, reason in found.read(range(min(TRIED, len(found))), shaping).broken:
            raise ValueError(f"{place / name}: {reason}; replace it, or write broken: leave_out")
    if entry["part"] == "all":
        return len(found)
    return len(rows_of_part(found.labels, SHARES, entry["part"], seed=entry["split_seed"]))


def _some(names: list[str]) -> str:
    """Return the first of some names as messages list them."""
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more." if len(names) > 5 else ".")


def _written(study: Study, name: str, key: str) -> str:
    return written_at(study.files, "data", name, key) or f"{study.name}: {name}.{key}"
