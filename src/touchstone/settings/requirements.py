"""What a component needs besides its settings: a source, another set, a network to attack, data to fit on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from touchstone import registry
from touchstone.provenance import job_folders
from touchstone.settings.files import WEB, Place, is_path, typed_path
from touchstone.settings.problems import Problem
from touchstone.settings.values import shown

Entries = dict[str, dict[str, Any]]  # one section of a study: entry -> its settings
ADDRESS = {  # of a file, and of a folder
    "url": re.compile(r"https?://[^/\s]+/(?:[^?#\s]*/)?[^/?#\s]+(?:[?#]\S*)?"),
    "mirror": re.compile(r"https?://[^/\s]+\S*"),
}
OBJECTIVES = {f"training/{path.stem}" for path in (registry.PACKAGE / "training").glob("[a-z]*.py")}
OF_TRANSLATORS = {
    f"training/{name}" for name in ("cycle_gan", "denoising", "pix2pix", "shift_translation", "translation")
}
JUDGE = "models/patch_discriminator"


def _mismatch(place: Place, needed: bool, value: object, missing: str, idle: str) -> Iterator[Problem]:
    """Yield `missing` if a setting is needed and not given, `idle` if it is given and not needed."""
    if needed != bool(value):
        yield Problem(place, missing if needed else idle)


def inputs(examples: Entries) -> Iterator[Problem]:
    """Yield the sets whose component needs a source or another set and has none, or has one and reads none."""
    for name, entry in examples.items():
        data = registry.used(entry["use"]).data
        for key, role, section, noun in (
            ("source", "folder", "sources", "source"),
            ("of", "examples", "examples", "set"),
        ):
            idle = f"{entry['use']}.py reads no {noun}; leave it out"
            missing = f"must name an entry of {section}"
            yield from _mismatch(("examples", name, key), role in data, entry[key], missing, idle)


def addresses(sources: Entries) -> Iterator[Problem]:
    """Yield the addresses of sources from which no file can come."""
    for name, entry in sources.items():
        for key, example in (("url", "https://example.org/flowers.zip"), ("mirror", "https://example.org/mirror")):
            if (address := entry.get(key)) is not None and not ADDRESS[key].fullmatch(address):
                yield Problem(("sources", name, key), f"expected an address such as {example}, got {shown(address)}")
        if entry["use"] == "sources/own_files" and entry["location"].startswith(WEB):
            yield Problem(
                ("sources", name, "location"), "own_files.py copies files of this machine; download.py has a url"
            )
        if entry.get("location") == "":
            yield Problem(("sources", name, "location"), "expected a file or a folder, such as pictures/flowers")
        for key in ("location", "local_folder"):
            if not is_path(entry.get(key) or ""):
                yield Problem(("sources", name, key), f"no file or folder can have this path: {shown(entry[key])}")
            elif (folder := _written_by_runs(entry.get(key) or "", copied=key == "location")) is not None:
                reason = (
                    f"a run deletes and rewrites what is in {folder}; put the files elsewhere, such as pictures/{name}"
                )
                yield Problem(("sources", name, key), reason)


def _written_by_runs(named: str, copied: bool) -> str | None:
    """Return the folder of runs in which files of the user's own lie; None if they lie elsewhere.

    Args:
        named: Where they lie: a path or an address.
        copied: Whether everything there is copied, so that a folder of runs must not be in it either.
    """
    if not named or named.startswith(WEB):
        return None
    place = typed_path(named).resolve()
    for folder in (job_folders.RAW, job_folders.RESULTS):
        own = Path(folder).resolve()
        if place.is_relative_to(own) or (copied and own.is_relative_to(place)):
            return folder
    return None


def architectures(classifiers: Entries, translators: Entries) -> Iterator[Problem]:
    """Yield the networks whose architecture or training is one of the other section."""
    for section, entries, has_classes, returns in (
        ("classifiers", classifiers, True, "images, and a classifier returns logits"),
        ("translators", translators, False, "logits, and a translator returns images"),
    ):
        for name, entry in entries.items():
            use = entry["model"]["use"]
            if use == JUDGE:
                yield Problem(
                    (section, name, "model", "use"), f"{use}.py judges images for pix2pix and cycle_gan; name another"
                )
            elif ("classes" in registry.used(use).data) != has_classes:
                yield Problem((section, name, "model", "use"), f"{use}.py returns {returns}; name another")
            trained = entry["use"]
            if trained in OBJECTIVES and (trained in OF_TRANSLATORS) == has_classes:
                other = "translators" if has_classes else "classifiers"
                yield Problem((section, name, "use"), f"{trained}.py trains {other}; write it there, or name another")
            use = entry["discriminator"]["use"] if "discriminator" in entry else JUDGE
            if use != JUDGE and (registry.PACKAGE / f"{use}.py").is_file():
                yield Problem(
                    (section, name, "discriminator", "use"),
                    f"{use}.py judges no patches; write use: patch_discriminator",
                )


def attacked_classifiers(translators: Entries) -> Iterator[Problem]:
    """Yield the translators that lack the network whose attacked images they learn from, or name one in vain."""
    for name, entry in translators.items():
        needed = "classifier" in registry.used(entry["use"]).data
        idle = f"{entry['use']}.py attacks no network; leave it out"
        place = ("translators", name, "classifier")
        yield from _mismatch(place, needed, entry["classifier"], "must name an entry of classifiers", idle)


def outliers(classifiers: Entries, translators: Entries) -> Iterator[Problem]:
    """Yield the trainings that lack the outliers that their objective reads, and those that name outliers in vain."""
    for section, entries in (("classifiers", classifiers), ("translators", translators)):
        for name, entry in entries.items():
            needed = "outliers" in registry.used(entry["use"]).data
            idle = f"{entry['use']}.py reads no outliers; leave them out"
            missing = f"{entry['use']}.py reads outliers: must name entries of examples"
            yield from _mismatch((section, name, "outliers"), needed, entry["outliers"], missing, idle)


def static_networks(classifiers: Entries, translators: Entries) -> Iterator[Problem]:
    """Yield the objectives that attack other networks and lack them, name them in vain, or need one another."""
    for name, entry in classifiers.items():
        place, needed = ("classifiers", name, "static_networks"), _attacks_static_networks(entry)
        idle = f"{entry['use']}.py attacks no other network; leave it out"
        missing = "must name entries of classifiers, which are trained first"
        yield from _mismatch(place, needed, entry["static_networks"], missing, idle)
        if needed and (circle := _circle(name, classifiers)):
            yield Problem(place, f"{' needs '.join(circle)}, but a static network has to be trained first")
    for name, entry in translators.items():
        if _attacks_static_networks(entry):
            yield Problem(("translators", name, "use"), f"{entry['use']}.py trains classifiers, not translators")


def _attacks_static_networks(entry: dict[str, Any]) -> bool:
    return "static_networks" in registry.used(entry["use"]).data


def _circle(start: str, classifiers: Entries) -> list[str]:
    """Return a way from a classifier over static networks back to it, empty if there is none."""
    waiting, seen = [[start]], set[str]()
    while waiting:
        way = waiting.pop()
        for other in classifiers[way[-1]]["static_networks"]:
            if other == start:
                return [*way, other]
            if other not in seen:
                seen.add(other)
                waiting.append([*way, other])
    return []


def fitting_data(detectors: Entries) -> Iterator[Problem]:
    """Yield the detectors that lack the data that they are fitted on, and those that name data in vain."""
    for name, entry in detectors.items():
        fit, file = registry.used(entry["use"]).fit, f"{entry['use']}.py"
        missing = f"{file} is fitted: must name an entry of examples"
        idle = f"{file} is not fitted on anything; leave it out"
        yield from _mismatch(("detectors", name, "fit"), fit is not None, entry["fit"], missing, idle)
        if fit is None and entry["classifier"]:
            yield Problem(("detectors", name, "classifier"), idle)
        learns = fit is not None and any(data.startswith("anomalous_") for data in fit.data)
        missing = f"{file} learns from anomalies: must name entries of examples or attacks"
        idle = f"{file} learns from no anomalies; leave it out"
        yield from _mismatch(("detectors", name, "anomalous"), learns, entry["anomalous"], missing, idle)


def scored_data(detectors: Entries) -> Iterator[Problem]:
    """Yield the detectors whose score reads the true labels, which are unknown when a detector is used."""
    for name, entry in detectors.items():
        if "labels" in registry.used(entry["use"]).call.data:
            reason = (
                f"{entry['use']}.py scores images by their labels, which nobody has at that time; read images or logits"
            )
            yield Problem(("detectors", name, "use"), reason)
