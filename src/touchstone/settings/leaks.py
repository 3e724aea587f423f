"""Leaks of test data: sets that are tested on and also trained on, fitted on, or used for thresholds."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from itertools import product, takewhile
from typing import Any

from touchstone.settings import families
from touchstone.settings.class_checks import kind_of
from touchstone.settings.files import Place
from touchstone.settings.known_sets import NO_CLASS, known
from touchstone.settings.problems import Problem

TRAINED = ("classifiers", "translators")
# The data roles of images that no network knows.
UNKNOWN = ("ood_near", "ood_far", "ood_noise", "score_ood", "images", "noise", "unseen_noise")
UNLABELLING, CLASS_SPLIT = "data/without_classes", "data/class_split"
LEARNING = {  # by section, the settings whose sets something learns from
    **dict.fromkeys(TRAINED, ("train", "validation", "outliers")),
    "detectors": ("fit", "anomalous"),
    "evaluations": ("fit",),
}


def leaks(resolved: dict[str, Any]) -> Iterator[Problem]:
    """Yield every use of a set that makes a figure look better than it is."""
    tested = _tested(resolved)
    yield from _seen_and_tested(resolved, tested)
    for section in TRAINED:
        for name, entry in resolved[section].items():
            validation, train = entry["validation"], entry["train"]
            if train and (same := _same(validation, [train], resolved["examples"])):
                reason = f"{_as_named(validation, same)} is also the training set; use another set"
                yield Problem((section, name, "validation"), reason)
            elif train and validation and train in families.way_to(validation, resolved["examples"]):
                reason = f"{validation} is made of images of {train}, the training set; use another set"
                yield Problem((section, name, "validation"), reason)
    yield from _familiar_outliers(resolved, tested)
    yield from _chosen_and_judged(resolved)


def known_as_unknown(resolved: dict[str, Any], roles: Mapping[str, list[Any]]) -> Iterator[Problem]:
    """Yield what poses as unknown, or trains networks as such, and is unchanged images of classes that a network learns."""
    trained = sorted({entry["train"] for entry in resolved["classifiers"].values() if entry["train"]})
    playing = {name: role for role in UNKNOWN for name in roles.get(role, ()) if name in resolved["examples"]}
    for name, role in playing.items():
        if train := next((train for train in trained if _has_classes_of(name, train, resolved)), None):
            reason = f"{name} has classes of {train}, which networks learn, so they are not unknown"
            yield Problem(("groups", role), f"{reason}; use images of other classes")
    for section in TRAINED:
        for name, entry in resolved[section].items():
            for outliers in entry["outliers"] if entry["train"] else ():
                same = families.share_images(outliers, entry["train"], resolved["examples"])
                if same or _has_classes_of(outliers, entry["train"], resolved):
                    reason = f"{outliers} has classes of {entry['train']}, which it learns; use images of other classes"
                    yield Problem((section, name, "outliers"), reason)
    for name, entry in resolved["detectors"].items():
        for anomalous in entry["anomalous"] if entry["fit"] else ():
            if anomalous in resolved["examples"] and families.share_images(
                anomalous, entry["fit"], resolved["examples"]
            ):
                reason = f"{anomalous} has images of {entry['fit']}, which it learns as normal; use others"
                yield Problem(("detectors", name, "anomalous"), reason)


def _has_classes_of(name: str, train: str, resolved: dict[str, Any]) -> bool:
    """Return whether a set has unchanged images of a class that a training set has, and no split tells them apart."""
    examples, sources = resolved["examples"], resolved["sources"]
    ways = [families.way_to(one, examples) for one in (name, train)]
    uses = [[examples[step]["use"] for step in way] for way in ways]
    roots = [examples[way[0]] for way in ways]
    kinds = [kind_of(root["use"]) for root in roots]
    alike = roots[0].get("source") and (roots[0]["source"] == roots[1].get("source") or kinds[0] == kinds[1] != "")
    if not alike or CLASS_SPLIT in uses[1]:
        return False
    kept = [step for step in ways[0][1:] if examples[step]["use"] not in (UNLABELLING, CLASS_SPLIT)]
    if any(examples[step]["use"] not in families.SELECTING for step in kept):
        return False
    found, learned = (known(one, examples, sources).labels for one in ([ways[0][0], *kept][-1], train))
    return bool((found or NO_CLASS) & (learned or NO_CLASS) - NO_CLASS)


def _tested(resolved: dict[str, Any]) -> dict[str, str]:
    """Return the sets that networks are tested on, each with an evaluation that does so."""
    return {
        name: question
        for question, entry in resolved["evaluations"].items()
        if entry["classifiers"]
        for name in [*entry["examples"], *entry["attacked"]]
    }


def _learned(resolved: dict[str, Any]) -> Iterator[tuple[Place, str]]:
    """Yield the sets that something learns from, with the setting that says so."""
    for section, keys in LEARNING.items():
        for name, entry in resolved[section].items():
            for key in keys:
                for example in entry[key] if isinstance(entry[key], list) else [entry[key]]:
                    yield (section, name, key), example


def _altered(example: str, examples: dict[str, Any]) -> list[str]:
    """Return the sets whose altered images a set has; none if it only selects some."""
    way = families.way_to(example, examples) if example in examples else []
    last = max((at for at, name in enumerate(way) if examples[name]["use"] not in families.SELECTING), default=0)
    return way[:last]


def _calibrations(resolved: dict[str, Any]) -> dict[str, Place]:
    """Return the sets that give thresholds, with the setting that says so."""
    of_entries: dict[str, Place] = {
        entry["calibration"]: (section, name, "calibration")
        for section in ("classifiers", "detectors")
        for name, entry in resolved[section].items()
        if entry["calibration"]
    }
    return {resolved["study"]["calibration"]: ("study", "calibration")} | of_entries


def _seen_and_tested(resolved: dict[str, Any], tested: dict[str, str]) -> Iterator[Problem]:
    """Yield the sets that are tested on or give thresholds, and that something also learns from."""
    calibrations, examples = _calibrations(resolved), resolved["examples"]
    for place, example in _learned(resolved):
        if test := next((one for one in _altered(example, examples) if one in tested), ""):
            reason = f"{example} is made of images of {test}, which is tested on by evaluations.{tested[test]}"
            yield Problem(place, f"{reason}; make it of others")
    told: set[tuple[str, str]] = set()  # two names for the same images: said once, however many entries read them
    for place, example in [*_learned(resolved), *((place, example) for example, place in calibrations.items())]:
        if test := _same(example, tested, examples):
            other, reason = test, f"is tested on by evaluations.{tested[test]}"
        elif place[-1] != "calibration" and (calibration := _same(example, calibrations, examples)):
            giver = calibrations[calibration]
            where = "data.calibration" if giver[0] == "study" else ".".join(giver)
            other, reason = calibration, f"gives the thresholds ({where})"
        else:
            continue
        if (example, other) in told:
            continue
        mistake = Problem(place, f"{_as_named(example, other)} {reason}; use another set")
        if example == other:
            yield mistake
        else:
            told.add((example, other))
            twin = _twin(example, other, examples)
            # A set whose name says its part is hardly the wrong one, so the other is named first.
            yield from (mistake, twin) if str(examples[other].get("part")) in other else (twin, mistake)


def _twin(example: str, other: str, examples: dict[str, Any]) -> Problem:
    """Return the mistake of a set that has the images of one that something learns from: either may be the wrong one."""
    entry = examples[other]
    part = f"part {entry['part']} of {entry['source']}" if entry.get("part") else entry["source"]
    place = ("examples", other, *(("part",) if entry.get("part") else ()))
    return Problem(place, f"has images of {example}, from which something learns: both are {part}")


def _same(example: str, others: Collection[str], examples: dict[str, Any]) -> str:
    """Return the set among others that is this one, or that reads the same part of the same source; "" if none is."""
    if example in others:
        return example
    rows = _rows_read(example, examples)
    return next((other for other in others if rows and _rows_read(other, examples) == rows), "")


def _rows_read(name: str, examples: dict[str, Any]) -> tuple[Any, ...]:
    """Return what says which rows of a source a set takes; () if another set, or not only its part, says it.

    `limit` does not: the rows of a smaller one are among those of a larger one.
    """
    entry = examples.get(name, {})
    if "split_seed" not in entry or not entry.get("source"):
        return ()
    return tuple(entry.get(key) for key in ("use", "source", "part", "split_seed", "inside"))


def _as_named(example: str, other: str) -> str:
    """Return how a message names a set that is another, or has its images."""
    return example if example == other else f"{example} has images of {other}, which"


def _familiar_outliers(resolved: dict[str, Any], tested: dict[str, str]) -> Iterator[Problem]:
    """Yield outliers of a kind that is tested on: images like those that a network was trained on are not unknown."""
    examples = resolved["examples"]
    for section in TRAINED:
        for name, entry in resolved[section].items():
            sources = families.sources_of([entry["train"]], examples) if entry["outliers"] else set()
            for outliers in entry["outliers"]:
                marks = families.family(outliers, examples, sources)
                for test in tested:
                    others = families.family(test, examples, sources)
                    if outliers != test and (shared := [marks[mark] for mark in marks if mark in others]):
                        reason = (
                            f"{outliers} is of the family of {test}, which evaluations.{tested[test]} tests on: both are"
                            f" {shared[0]}; use outliers of another family"
                        )
                        yield Problem((section, name, "outliers"), reason)
                        break


def _chosen_and_judged(resolved: dict[str, Any]) -> Iterator[Problem]:
    """Yield the sets on which an evaluation chooses a score and that share images with a set that it judges."""
    examples = resolved["examples"]
    for name, entry in resolved["evaluations"].items():
        chosen_on = [*entry.get("choice_id", ()), *entry.get("choice_sets", ())]
        judged = [one for one in entry["examples"] if one not in chosen_on]
        for chosen, other in product(chosen_on, judged):
            if at := _shared(chosen, other, examples):
                reason = f"{chosen} shares images with {other}, and evaluations.{name} chooses a score on the first"
                yield Problem(("examples", at), f"{reason} and judges it on the second; choose on other images")
                break


def _shared(one: str, other: str, examples: dict[str, Any]) -> str:
    """Return the last set on the way to a set from which on it shares images with another set; "" if it shares none.

    Sets of different origins share none: only the job that prepares them can compare their images.
    """
    if _same(one, [other], examples):
        return one
    ways = [families.way_to(name, examples) for name in (one, other)]
    common = sum(1 for _ in takewhile(lambda pair: examples[pair[0]] == examples[pair[1]], zip(*ways, strict=False)))
    if not common:  # two sets that read one source may take the same part of it, one of them less
        return ways[0][0] if families.share_images(one, other, examples) else ""
    if _disjoint(*(examples[way[common]] for way in ways if len(way) > common)):
        return ""
    return ways[0][min(common, len(ways[0]) - 1)]


def _disjoint(*steps: dict[str, Any]) -> bool:
    """Return whether two sets that are made of one set certainly share no image."""
    if len(steps) < 2 or steps[0]["use"] != steps[1]["use"]:
        return False
    first, second = steps
    if first["use"] == "data/class_split":
        return bool(first["split"] == second["split"] and first["part"] != second["part"])
    if first["use"] != "data/subset" or first["split_seed"] != second["split_seed"]:
        return False
    first, second = sorted(steps, key=lambda step: step["skip"])
    return bool(first["skip"] + first["count"] <= second["skip"])
