"""Names of entries in other entries: read, expanded from `all`, looked up, and followed to what nothing uses."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from touchstone.messages import nearest
from touchstone.settings.files import Place
from touchstone.settings.limits import most
from touchstone.settings.problems import Problem, Problems
from touchstone.settings.roles import names_role, role_in
from touchstone.settings.sections import MEASURED, Entry, Reference, Section
from touchstone.settings.values import shown, words

JOINTS = re.compile(r"[/+]|@[0-9.]+")  # between the entries of a place or of a measured pair; @0.05 is a threshold


def read_reference(place: Place, block: dict[str, Any], reference: Reference, problems: Problems) -> Any:
    """Return the name or names that an entry's block gives under the last key of `place`; `all` stays as it is."""
    key = place[-1]
    value = block.get(key)
    if value is None:
        if reference.required:
            problems.add(place, f"must name an entry of {' or '.join(reference.sections)}")
        return reference.default
    if reference.many and value == "all":
        return value
    if reference.bare and isinstance(value, str):
        value = [value]
    names = value if reference.many and isinstance(value, list) else [value]
    if isinstance(value, list) != reference.many or not all(isinstance(name, str) and name for name in names):
        wanted = "a list of entries (or all)" if reference.many else "an entry"
        problems.add(place, f"expected {wanted}, got {shown(value)}")
        return reference.default
    if reference.many and len(value) > most(key):
        problems.add(place, f"expected at most {most(key):,} items, got {len(value):,}")
        return reference.default
    return value


def expand_all(resolved: dict[str, Any], kinds: dict[str, Section]) -> None:
    """Replace every `all` with the names that it stands for."""
    for section, kind in kinds.items():
        for entry in resolved[section].values():
            for key, reference in kind.references.items():
                if reference.many and entry[key] == "all":
                    meant = reference.everything or reference.sections
                    entry[key] = [name for target in meant for name in resolved[target]]


def wrong_names(
    resolved: dict[str, Any], kinds: dict[str, Section], unreached: Collection[Entry] = ()
) -> Iterator[Problem]:
    """Yield names that two sections give, and names that lead nowhere; one of the unreached may be meant."""
    yield from _taken_names(resolved, kinds)
    for section, kind in kinds.items():
        for name, entry in resolved[section].items():
            for key, reference in kind.references.items():
                for other in _names(entry, key, reference):
                    if reference.many and other == "all":
                        reason = "all means every entry already; leave this setting out, or list the entries by name"
                        yield Problem((section, name, key), reason)
                    else:
                        yield from _unknown((section, name, key), other, reference.sections, resolved, unreached)
    yield from _wrong_thresholds(resolved["study"], resolved["examples"])


def wrong_words(resolved: dict[str, Any], kinds: dict[str, Section]) -> Iterator[Problem]:
    """Yield the names in settings of components that lead nowhere, such as those of `against`.

    A name that consists of several entries, such as `digits_test/pgd` or `cnn+msp`, is looked up part by part.
    """
    for section, kind in kinds.items():
        for name, entry in resolved[section].items():
            for key, sections in kind.names.items():
                for word in words(entry.get(key)):
                    first, *others = [part for part in JOINTS.split(word) if part] or [word]
                    place = (section, name, key)
                    yield from _unknown(place, first, sections, resolved)
                    for other in others:
                        yield from _unknown(place, other, MEASURED, resolved)


def unmeasured_words(resolved: dict[str, Any], names: Collection[str]) -> Iterator[Problem]:
    """Yield the entries in a figure's settings `names` that none of its evaluations names: it has no number to draw."""
    for figure, entry in resolved["figures"].items():
        evaluations = [entry["evaluation"], *entry["also"]]
        measured = {word for name in evaluations for word in words(list(resolved["evaluations"][name].values()))}
        for key in names:
            for part in filter(None, (part for word in words(entry.get(key)) for part in JOINTS.split(word))):
                if part not in measured:
                    reason = f"{part} is not named in evaluations.{' or '.join(evaluations)}"
                    yield Problem(("figures", figure, key), f"{reason}; name it there, or set {key} to what is")


def _unknown(
    place: Place, name: str, sections: tuple[str, ...], resolved: dict[str, Any], unreached: Collection[Entry] = ()
) -> Iterator[Problem]:
    """Yield a name that no entry of some sections has."""
    names = [other for section in sections for other in resolved[section]]
    if name not in names:
        names += [entry.name for entry in unreached if entry.section in sections]
        reason = f"no entry called {name} in {' or '.join(sections)}."
        home = next((section for section, block in resolved.items() if section not in sections and name in block), "")
        yield Problem(place, f"{reason} It is one of {home}." if home else reason + nearest(name, names))


def _taken_names(resolved: dict[str, Any], kinds: dict[str, Section]) -> Iterator[Problem]:
    owners: dict[str, str] = {}
    for section in kinds:
        for name in resolved[section]:
            if name in owners:
                reason = f"the name is taken by {owners[name]}.{name}; names are unique in a study"
                yield Problem((section, name), reason)
            owners[name] = section


def _wrong_thresholds(study: dict[str, Any], examples: dict[str, Any]) -> Iterator[Problem]:
    """Yield a false positive rate without a threshold, and a calibration set that does not exist."""
    rates, rate, calibration = (
        study["false_positive_rates"],
        study["attacked_false_positive_rate"],
        study["calibration"],
    )
    if rate not in rates:
        reason = f"{rate:g} is not among false_positive_rates {rates}"
        yield Problem(("study", "attacked_false_positive_rate"), reason)
    if calibration not in examples:
        reason = f"no example set called {calibration}.{nearest(calibration, examples)}"
        if names_role(calibration):
            reason = f"the study's data has no {role_in(calibration)}"
        yield Problem(("study", "calibration"), reason)


def unused(resolved: dict[str, Any], kinds: dict[str, Section]) -> Iterator[Problem]:
    """Yield the entries that no evaluation reaches: they would look measured, but are not.

    If sources are absent, yield none: entries that only the deleted evaluations used stay, and no job needs them.
    """
    if resolved["study"]["absent"]:
        return
    labels = labels_read(resolved)
    for name in resolved["confounding"]:
        if name not in labels:
            yield Problem(("confounding", name), f"no detector reads this label.{nearest(name, labels)}")
    reached = reached_from((), resolved, kinds)
    for section in kinds:
        for name in resolved[section]:
            if Entry(section, name) not in reached:
                yield Problem((section, name), "no evaluation that is asked uses it; name it in one, or remove it")


def labels_read(resolved: dict[str, Any]) -> set[str]:
    """Return the confounding labels that detectors, evaluations and figures name."""
    reading = (*resolved["detectors"].values(), *resolved["evaluations"].values(), *resolved["figures"].values())
    return {word for entry in reading for word in words(entry.get("label"))}


def reached_from(entries: Iterable[Entry], resolved: dict[str, Any], kinds: dict[str, Section]) -> set[Entry]:
    """Return the entries that evaluations, figures, thresholds and the given entries need, themselves included.

    A name that leads nowhere reaches nothing. An `all` that is not yet expanded reaches only entries that other settings
    of the same entry name, such as `against`: they must not be deleted.
    """
    reached = {Entry(section, name) for section in ("evaluations", "figures") for name in resolved[section]}
    reached |= {Entry("examples", resolved["study"]["calibration"]), *entries}
    waiting = [entry for entry in reached if entry.name in resolved[entry.section]]
    while waiting:
        named = set(_named(waiting.pop(), resolved, kinds)) - reached
        reached |= named
        waiting.extend(named)
    return reached


def _named(entry: Entry, resolved: dict[str, Any], kinds: dict[str, Section]) -> Iterator[Entry]:
    """Yield the entries that an entry names."""
    settings, kind = resolved[entry.section][entry.name], kinds[entry.section]
    elsewhere = [word for key in kind.names for word in words(settings.get(key))]
    for key, reference in kind.references.items():
        for name in elsewhere if settings.get(key) == "all" else _names(settings, key, reference):
            yield from (Entry(section, name) for section in reference.sections if name in resolved[section])


def _names(settings: dict[str, Any], key: str, reference: Reference) -> list[str]:
    """Return the names under a reference as a list, empty if there are none."""
    if reference.many:
        return list(settings.get(key, ()))
    return [settings[key]] if settings.get(key) else []


def named_twice(written: dict[str, Any]) -> Iterator[Problem]:
    """Yield the lists of entries or numbers in which the study's own file names one twice.

    Args:
        written: The sections that its file writes.
    """
    for section, blocks in written.items():
        for name, block in blocks.items():
            for key, names in block.items() if isinstance(block, dict) else ():
                kinds = str | float if section == "evaluations" else str  # a normalisation has one number a channel
                listed = names if isinstance(names, list) and all(isinstance(one, kinds) for one in names) else []
                if (twice := next((one for one in listed if listed.count(one) > 1), None)) is not None:
                    yield Problem((section, name, key), f"names {twice} twice; name it once")


def read_twice(resolved: dict[str, Any], kinds: dict[str, Section]) -> Iterator[Problem]:
    """Yield the lists in which an entry reads another twice, now that roles are filled in: `[$outliers, blobs]`.

    That is hardly meant, and would weigh the entry twice. Evaluations and figures may do it: some of ours read one
    entry in two roles.
    """
    for section, kind in kinds.items():
        for name, entry in resolved[section].items() if section not in ("evaluations", "figures") else ():
            for key, reference in kind.references.items():
                names = _names(entry, key, reference)
                if twice := next((one for one in names if names.count(one) > 1), ""):
                    yield Problem((section, name, key), f"names {twice} twice; name it once")
