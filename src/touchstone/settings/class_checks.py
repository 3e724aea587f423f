"""Sets whose classes are not those that a network learned, where a number would count them as if they were."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

from touchstone.settings.families import way_to
from touchstone.settings.files import Place
from touchstone.settings.known_sets import GENERATED, NO_CLASS, PUBLISHED, known
from touchstone.settings.problems import Problem

# By the role that networks learn from: the roles whose images have its classes.
SAME_CLASSES = {
    "train": ("validation", "calibration", "test", "attacked_test", "small_test", "margin_test", "score_test"),
    "pair_train": ("pair_validation", "pair"),
}
COUNTING = (
    "evaluations/robustness", "evaluations/translation", "evaluations/paired_errors", "evaluations/subset_robustness",
    "evaluations/margin_evasion", "evaluations/pseudo_margins",
)  # fmt: skip
NOISE = {f"data/{name}" for name in GENERATED}
UNNATURAL = NOISE | {"data/phase_scrambled", "data/patch_shuffled"}
KIND = {"mnist": "digits", "svhn": "digits"}  # of sets whose classes are those of another
KNOWN_CLASSES = {name for name, about in PUBLISHED.items() if about.classes}
KNOWN_ONLY = (  # settings that name images which networks know
    *(("classifiers", "calibration"), ("detectors", "calibration"), ("detectors", "fit")),
    ("evaluations", "id_examples"),
)
SHIFTS = ("darker", "sharper")  # roles of images with this shift


def wrong_classes(resolved: dict[str, Any], roles: Mapping[str, list[Any]]) -> Iterator[Problem]:
    """Yield the roles of known images that are played by a set with other classes than networks learn for them."""
    examples, sources = resolved["examples"], resolved["sources"]
    for role in SHIFTS:
        for name in roles.get(role, ()):
            shift = examples[name].get("shift", role) if name in examples else role
            if shift != role:
                yield Problem(("groups", role), f"{name} is {shift}: this role is of images that are {role}")
    for learning, testing in SAME_CLASSES.items():
        for train, role in product(roles.get(learning, ()), testing):
            for name in roles.get(role, ()):
                if {train, name} <= examples.keys() and (reason := _unlike(name, train, examples, sources)):
                    yield Problem(("groups", role), f"{reason}; let both have the same classes")


def _unlike(name: str, train: str, examples: dict[str, Any], sources: dict[str, Any]) -> str:
    """Return in what the classes of a set differ from those of a training set; "" if they do not, or are not known."""
    tested, learned = (known(one, examples, sources).labels for one in (name, train))
    if tested and learned and (lacking := sorted(tested - learned - NO_CLASS)):
        return f"{name} has class {lacking[0]}, which {train} lacks"
    return _of_other_classes(name, train, examples)


def _of_other_classes(name: str, train: str, examples: dict[str, Any]) -> str:
    """Return that two sets mean different classes by the same numbers; "" if nothing says so."""
    pairs = [_pair(one, examples) for one in (name, train)]
    if pairs[0] != pairs[1]:
        return f"{name} is of {_classes_of(pairs[0])}, and {train} of {_classes_of(pairs[1])}"
    roots = [examples[way_to(one, examples)[0]]["use"] for one in (name, train)]
    kinds = [kind_of(root) for root in roots]
    if all(kinds) and kinds[0] != kinds[1]:
        shown = [root.removeprefix("data/") for root in roots]
        return f"{name} shows the classes of {shown[0]}, and {train} those of {shown[1]}"
    return ""


def kind_of(use: str) -> str:
    """Return what the classes of a published set are, which several may share; "" for sets whose classes are not known."""
    name = use.removeprefix("data/")
    return KIND.get(name, name) if name in KNOWN_CLASSES else ""


def _pair(name: str, examples: dict[str, Any]) -> list[int] | None:
    """Return the two classes that a set is of, if it is of two."""
    steps = (examples[step] for step in way_to(name, examples))
    return next(([step["negative"], step["positive"]] for step in steps if step["use"] == "data/two_classes"), None)


def _classes_of(pair: list[int] | None) -> str:
    return "all classes" if pair is None else f"the classes {pair}"


def other_classes(resolved: dict[str, Any]) -> Iterator[Problem]:
    """Yield the networks that are validated, and the questions that count right answers, on other classes than learned."""
    examples, classifiers = resolved["examples"], resolved["classifiers"]
    for name, entry in classifiers.items():
        if entry["train"] and (reason := _of_other_classes(entry["validation"], entry["train"], examples)):
            yield Problem(("classifiers", name, "validation"), f"{reason}; let both have the same classes")
    for name, entry in resolved["evaluations"].items():
        trained = {classifiers[net]["train"] for net in entry["classifiers"] if net in classifiers} - {None}
        for example, train in product(entry["examples"], sorted(trained)) if entry["use"] in COUNTING else ():
            if reason := _of_other_classes(example, train, examples):
                yield Problem(("evaluations", name, "examples"), f"{reason}, on which its networks are trained")


def noise_as_known(resolved: dict[str, Any]) -> Iterator[Problem]:
    """Yield made-up images in the place of known ones, which detectors learn as normal or others are compared with."""
    examples = resolved["examples"]
    for place, named in _known_only(resolved):
        for example in named if isinstance(named, list) else [named]:
            made = [examples[step]["use"] for step in way_to(example, examples)] if example in examples else []
            if not UNNATURAL.isdisjoint(made):
                kind = "noise" if made[0] in NOISE else "scrambled"
                reason = f"{example} is {kind}, and known images are asked for; name a set such as detector_train"
                yield Problem(place, reason)


def _known_only(resolved: dict[str, Any]) -> Iterator[tuple[Place, Any]]:
    """Yield the settings that name images which networks know, with what they name."""
    yield ("study", "calibration"), resolved["study"]["calibration"]
    for section, key in KNOWN_ONLY:
        for name, entry in resolved[section].items():
            yield (section, name, key), entry.get(key) or []


def unlabelled(resolved: dict[str, Any]) -> Iterator[Problem]:
    """Yield the evaluations that count right classes on images that show none."""
    for name, entry in resolved["evaluations"].items():
        for key in ("examples", "attacked") if entry["use"] in COUNTING else ():
            for example in entry[key]:
                if known(example, resolved["examples"], resolved["sources"]).labels == NO_CLASS:
                    reason = f"{example} has no labels, and {entry['use']}.py counts the images whose class is right"
                    yield Problem(("evaluations", name, key), f"{reason}; name a set with labels")
