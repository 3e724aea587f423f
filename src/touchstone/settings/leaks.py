"""Leaks of test data: sets that are tested on and also trained on, fitted on, or used for thresholds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from touchstone.settings import families
from touchstone.settings.files import Place
from touchstone.settings.problems import Problem

TRAINED = ("classifiers", "translators")
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
            if entry["train"] and entry["train"] == entry["validation"]:
                reason = f"{entry['train']} is also the training set; use another set"
                yield Problem((section, name, "validation"), reason)
    yield from _familiar_outliers(resolved, tested)


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
    calibrations = _calibrations(resolved)
    for place, example in [*_learned(resolved), *((place, example) for example, place in calibrations.items())]:
        if example in tested:
            yield Problem(place, f"{example} is tested on by evaluations.{tested[example]}; use another set")
        elif example in calibrations and place[-1] != "calibration":
            place_of_it = calibrations[example]
            giver = "data.calibration" if place_of_it[0] == "study" else ".".join(place_of_it)
            yield Problem(place, f"{example} gives the thresholds ({giver}); use another set")


def _familiar_outliers(resolved: dict[str, Any], tested: dict[str, str]) -> Iterator[Problem]:
    """Yield outliers of a kind that is tested on: images like those that a network was trained on are not unknown."""
    examples = resolved["examples"]
    trained = {entry["train"] for entry in resolved["classifiers"].values() if entry["train"]}
    sources = families.sources_of(trained, examples)
    tested_marks = {name: families.family(name, examples, sources) for name in tested}
    for section in TRAINED:
        for name, entry in resolved[section].items():
            for outliers in entry["outliers"]:
                marks = families.family(outliers, examples, sources)
                for test, others in tested_marks.items():
                    if outliers != test and (shared := [marks[mark] for mark in marks if mark in others]):
                        reason = (
                            f"{outliers} is of the family of {test}, which evaluations.{tested[test]} tests on: both are"
                            f" {shared[0]}; use outliers of another family"
                        )
                        yield Problem((section, name, "outliers"), reason)
                        break
