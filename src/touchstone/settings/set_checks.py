"""What sets of a study cannot be, by what is known of them before their images are read."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from itertools import chain, product
from pathlib import PurePosixPath
from typing import Any

from touchstone.settings.families import way_to
from touchstone.settings.files import Place, is_path
from touchstone.settings.known_sets import PUBLISHED, TILED, Shape, known, rows_of_part, source_of
from touchstone.settings.problems import Problem
from touchstone.settings.values import shown

WEIGHTS = "checkpoint_file"  # the component of sources/ that fetches no images
FETCHING = {WEIGHTS, *map(source_of, (*PUBLISHED, *TILED))}  # components of sources/ that are read by certain ones
OWN = ("own_files", "download")  # components of sources/ that fetch any files
BUNDLED = ("sklearn_digits", "sklearn_photographs", "skimage_faces", "skimage_textures")  # whose files nobody else has

OPEN_SET, CLASS_SPLIT = "evaluations/open_set", "data/class_split"
ARRAYS = (".npz", ".safetensors")  # suffixes of files of arrays, whose labels are numbers already
ELSEWHERE = "(in data.sets, if the set is none of yours)"


def wrong_sets(resolved: dict[str, Any], is_own: Callable[[Place], bool]) -> Iterator[Problem]:
    """Yield what sets cannot be: read from another's files, larger than these, of classes that they have not.

    Args:
        resolved: The sections of the study.
        is_own: Whether the study's own file wrote what is at a place.
    """
    yield from _loaders(resolved)
    yield from _places(resolved["examples"])
    yield from _rows(resolved, is_own)
    yield from _few(resolved)
    yield from _classes(resolved)
    yield from _splits(resolved)
    yield from _orders(resolved)
    yield from _shapes(resolved, is_own)


def _loaders(resolved: dict[str, Any]) -> Iterator[Problem]:
    """Yield the sets whose source holds the files of another set, or weights."""
    sources = resolved["sources"]
    for name, entry in resolved["examples"].items():
        kind = entry["use"].removeprefix("data/")
        fetched = sources[entry["source"]]["use"].removeprefix("sources/") if entry["source"] else ""
        wanted = source_of(kind)
        reason = f"{kind}.py does not read what {entry['source']} has"
        if wanted and wanted != fetched and fetched in FETCHING:
            fitting = [source for source, one in sources.items() if one["use"] == f"sources/{wanted}"]
            choice = " or ".join(fitting) if fitting else f"a source with use: {wanted}"
            yield Problem(("examples", name, "source"), f"{reason}; name {choice}")
        elif wanted in BUNDLED and fetched in OWN:
            reason = (
                f"{kind}.py reads only what the source {wanted} has; own_images.py reads pictures and arrays of yours"
            )
            yield Problem(("examples", name, "use"), reason)
        elif fetched == WEIGHTS:
            yield Problem(("examples", name, "source"), f"{reason}: weights of a network; name a source of images")


def _places(examples: dict[str, Any]) -> Iterator[Problem]:
    """Yield the sets that would read files outside their source, and sizes of which one side is missing or crossed."""
    for name, entry in examples.items():
        if (entry.get("height") is None) != (entry.get("width") is None):
            missing = "height" if entry.get("height") is None else "width"
            yield Problem(("examples", name, missing), "height and width go together; give both, or neither")
        if (entry.get("smallest") or 0) > (entry.get("largest") or math.inf):
            yield Problem(("examples", name, "smallest"), f"is above largest, {entry['largest']}; swap them")
        inside = entry.get("inside") or "."
        if not is_path(inside):
            yield Problem(("examples", name, "inside"), f"no file or folder can have this path: {shown(inside)}")
        elif PurePosixPath(inside).is_absolute() or ".." in PurePosixPath(inside).parts:
            reason = f"expected a folder or file within the source, such as flowers/train, got {shown(inside)}"
            yield Problem(("examples", name, "inside"), reason)


def _few(resolved: dict[str, Any]) -> Iterator[Problem]:
    """Yield the sets that networks train on and that have fewer images than classes."""
    examples, sources = resolved["examples"], resolved["sources"]
    for name in dict.fromkeys(entry["train"] for entry in resolved["classifiers"].values() if entry["train"]):
        rows, labels, _ = known(name, examples, sources)
        if rows is not None and labels is not None and rows < len(labels):
            place = _cause(name, rows, examples) or ("examples", name)
            yield Problem(place, f"networks train on {name}, and {len(labels)} classes need at least as many images")


def _cause(name: str, rows: int, examples: dict[str, Any]) -> Place | None:
    """Return the setting that leaves a set only so many images; None if its source does."""
    for one in reversed(way_to(name, examples)):
        for key in ("limit", "count"):
            if examples[one].get(key) == rows:
                return ("examples", one, key)
    return None


def _rows(resolved: dict[str, Any], is_own: Callable[[Place], bool]) -> Iterator[Problem]:
    """Yield the sets of more images than there are, as far as their number is known."""
    examples, sources = resolved["examples"], resolved["sources"]
    for name, entry in examples.items():
        kind = entry["use"].removeprefix("data/")
        if entry["of"]:
            most, origin = known(entry["of"], examples, sources).rows, entry["of"]
        else:
            most, origin = rows_of_part(entry, sources), entry["source"]
            origin = f"the part {entry['part']} of {origin}" if kind in PUBLISHED and "part" in entry else origin
        for key in ("limit", "count"):
            wanted, skipped = entry.get(key), entry.get("skip", 0)
            if most is not None and wanted is not None and skipped + wanted > most:
                after = f" after the first {skipped:,}" if skipped else ""
                reason = (
                    f"{origin} has at most {most:,} images, and this takes {wanted:,}{after}; take fewer {ELSEWHERE}"
                )
                place: Place = ("examples", name, "skip" if skipped else key)
                cause = _cause(entry["of"], most, examples) if entry["of"] and not is_own(place) else None
                if cause is not None and is_own(cause):
                    reason = (
                        f"leaves {most:,}, and {name} takes {wanted:,}{after} of them; take more, or fewer {ELSEWHERE}"
                    )
                    place = cause
                yield Problem(place, reason)


def _classes(resolved: dict[str, Any]) -> Iterator[Problem]:
    """Yield the classes that a set is to have or to lack and that no image has."""
    examples, sources = resolved["examples"], resolved["sources"]
    for name, entry in examples.items():
        kind = entry["use"].removeprefix("data/")
        if kind == "two_classes" and entry["negative"] == entry["positive"]:
            reason = f"must be another class than negative, got {entry['positive']} for both"
            yield Problem(("examples", name, "positive"), reason)
        labels = known(entry["of"], examples, sources).labels if entry["of"] else None
        if labels is None:
            continue
        for key in {"two_classes": ("negative", "positive"), "held_out_classes": ("classes",)}.get(kind, ()):
            wanted = set(entry[key] if isinstance(entry[key], list) else [entry[key]])
            if missing := sorted(wanted - labels):
                reason = f"expected {_listed(labels)} of {entry['of']}, got {missing[0]}"
                yield Problem(("examples", name, key), reason)
        if kind == "held_out_classes" and not entry["keep"] and labels <= set(entry["classes"]):
            yield Problem(("examples", name, "classes"), f"these are all classes of {entry['of']}: nothing is left")
        if kind == "class_split" and not entry["seen"] < entry["known"] < len(labels):
            reason = (
                f"expected seen < known < {len(labels)}, the classes of {entry['of']},"
                f" got {entry['seen']} and {entry['known']}"
            )
            yield Problem(("examples", name, "known"), reason)


def _splits(resolved: dict[str, Any]) -> Iterator[Problem]:
    """Yield the questions about unknown classes whose images have other classes than those that networks' were split of."""
    examples, sources = resolved["examples"], resolved["sources"]
    for name, question in resolved["evaluations"].items():
        if question["use"] != OPEN_SET:
            continue
        trained = (resolved["classifiers"][net]["train"] for net in question["networks"])
        ways = [examples[one] for train in filter(None, trained) for one in way_to(train, examples)]
        split = dict.fromkeys(entry["of"] for entry in ways if entry["use"] == CLASS_SPLIT)
        for shown_set, origin in product(question["examples"], split):
            has, had = (known(one, examples, sources).labels for one in (shown_set, origin))
            if has and had and (unlike := sorted(has ^ had)):
                lacking, other = (shown_set, origin) if unlike[0] in had else (origin, shown_set)
                reason = (
                    f"{other} has class {unlike[0]}, which {lacking} lacks, so their classes would be split otherwise"
                )
                yield Problem(("evaluations", name, "examples"), f"{reason}; let both have the same classes")


def _orders(resolved: dict[str, Any]) -> Iterator[Problem]:
    """Yield the sets of the user's own in which a class would have another number than in a set before."""
    examples, train = resolved["examples"], trained_set(resolved)
    first = way_to(train, examples)[:1] if train else []  # of its images, if that is made of another set
    orders: dict[str, list[str]] = {}
    for name in dict.fromkeys(chain(first, examples)):
        entry = examples[name]
        if entry["use"] != "data/own_images" or not entry["labelled"] or _of_arrays(entry, resolved["sources"]):
            continue
        place, order = ("examples", name, "classes"), entry["classes"] or []
        if twice := next((one for one in order if order.count(one) > 1), ""):
            yield Problem(place, f"names {twice} twice; name each class once, in the order of the model's classes")
        elif other := next((other for other, theirs in orders.items() if _conflict(order, theirs)), ""):
            lists = (f"{name} has {_order(order)}", f"{other} has {_order(orders[other])}")
            reason = f"{' and '.join(lists)}, so one class would have two numbers"
            yield Problem(
                place,
                f"{reason}; write the same classes for both. A set that shows none of them has labelled: false, and a"
                " file of arrays among other files is named by inside",
            )
        orders[name] = order


def _of_arrays(entry: dict[str, Any], sources: dict[str, Any]) -> bool:
    """Return whether the settings say that a set of the user's own is read from a file of arrays."""
    source = sources[entry["source"]]
    names = (entry["inside"], source.get("location"), source.get("url"))
    return any(str(name).lower().endswith(ARRAYS) for name in names)


def _conflict(order: list[str], other: list[str]) -> bool:
    """Return whether two sets may number a class differently, by the classes that they list; [] is that of names."""
    return order != other and (not order or not other or bool(set(order) & set(other)))


def _order(classes: list[str]) -> str:
    """Return the order of a set's classes as messages show it."""
    return f"classes: {shown(classes)}" if classes else "the order of their names"


def _listed(labels: Collection[int]) -> str:
    """Return the classes of a set as messages name them."""
    every = sorted(labels)
    if every == list(range(len(every))) and len(every) > 2:
        return f"a class from 0 to {every[-1]}"
    return f"one of the classes {', '.join(map(str, every))}"


def _shapes(resolved: dict[str, Any], is_own: Callable[[Place], bool]) -> Iterator[Problem]:
    """Yield the sets whose images have another shape than those that networks train on, and what cuts these unevenly."""
    examples, sources, most = resolved["examples"], resolved["sources"], trained_set(resolved)
    wanted = known(most, examples, sources).shape if most else None
    for name, entry in examples.items():
        shape = known(name, examples, sources).shape
        if shape and wanted and shape != wanted and not entry["of"]:
            key, remedy = _remedy(entry, shape, wanted)
            cause = ("examples", str(most), key)
            if is_own(cause) and not is_own(("examples", name)):
                others = f"networks train on images of {_text(wanted)}, and those of {name} are {_text(shape)}"
                yield Problem(cause, f"{others}; let all have one {key}")
                continue
            yield Problem(("examples", name, key), f"{other_shape(shape, wanted, str(most))}; {remedy}")
        patch = entry.get("patch")
        if entry["use"] == "data/patch_shuffled" and shape and (patch >= shape[1] or shape[1] % patch):
            reason = f"must divide the side of images of {_text(shape)} into at least 2 parts, got {patch}"
            yield Problem(("examples", name, "patch"), reason)


def trained_set(resolved: Mapping[str, Any]) -> str | None:
    """Return the set that most networks train on; None if none trains."""
    trained = Counter(entry["train"] for entry in resolved["classifiers"].values() if entry["train"])
    return trained.most_common(1)[0][0] if trained else None


def other_shape(shape: Shape, wanted: Shape, train: str) -> str:
    """Return that images have another shape than those of the training set."""
    return f"images of {_text(shape)}, and those of {train}, on which networks train, are {_text(wanted)}"


def own_remedy(shape: Shape, wanted: Shape) -> tuple[str, str]:
    """Return the setting that gives the user's own images another shape than is wanted, and what to do."""
    settings: dict[str, object] = {}
    if shape[1:] != wanted[1:]:
        settings |= {"height": wanted[1], "width": wanted[2]}
    if shape[0] != wanted[0]:
        settings |= {"colour": "gray" if wanted[0] == 1 else "rgb"}
    return next(iter(settings)), f"write {', '.join(f'{key}: {value}' for key, value in settings.items())}"


def _remedy(entry: dict[str, Any], shape: Shape, wanted: Shape) -> tuple[str, str]:
    """Return the setting that gives a set another shape than is wanted, and what to do."""
    if entry["use"] == "data/own_images":
        return own_remedy(shape, wanted)
    given = {"channels": (shape[0], wanted[0]), "size": (shape[1:], wanted[1:])}
    wrong = [key for key, (has, needs) in given.items() if has != needs]
    if any(key not in entry for key in wrong):
        return "use", "use another set"
    settings = ", ".join(f"{key}: {wanted[0 if key == 'channels' else 1]}" for key in wrong)
    return wrong[0], f"set {settings} {ELSEWHERE}"


def _text(shape: Shape) -> str:
    """Return a shape as messages show it."""
    return f"{' x '.join(map(str, shape))} (channels, height, width)"
