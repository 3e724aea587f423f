"""Groups of entries that one job treats together: example sets, attacks, detectors, translators."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from touchstone.messages import nearest
from touchstone.pipeline.settings.files import Place
from touchstone.pipeline.settings.limits import wrong_name
from touchstone.pipeline.settings.problems import Problem, Problems
from touchstone.pipeline.settings.sections import GROUPED, on_pipelines
from touchstone.pipeline.settings.values import shown


def resolve_groups(
    written: dict[str, Any], resolved: dict[str, Any], problems: Problems
) -> dict[str, dict[str, list[str]]]:
    """Return the groups of a study.

    Args:
        written: the section `groups` as it is written, group -> members.
        resolved: the settings of all other sections.
        problems: receives every mistake.

    Returns:
        Section -> group -> members. An entry in no named group is a group of its own.
    """
    groups: dict[str, dict[str, list[str]]] = {section: {} for section in GROUPED}
    group_of: dict[str, str] = {}
    for name, members in written.items():
        place = ("groups", name)
        if reason := wrong_name(name):
            problems.add(place, reason)
        elif not isinstance(members, list) or not members or not all(isinstance(entry, str) for entry in members):
            problems.add(place, f"expected a list of entries, got {shown(members)}")
        else:
            problems.extend(_misplaced(place, members, resolved, group_of), _mixed(place, members, resolved))
            sections = _sections(members, resolved)
            if len(sections) == 1:
                groups[sections.pop()][name] = members
    for section, named in groups.items():
        for entry in resolved[section]:
            if entry in written and group_of.get(entry) != entry:
                problems.add(("groups", entry), f"the name is taken by {section}.{entry}")
            if entry not in group_of:
                named[entry] = [entry]
    return groups


def _sections(members: list[str], resolved: dict[str, Any]) -> set[str]:
    return {section for section in GROUPED for entry in members if entry in resolved[section]}


def _misplaced(
    place: Place, members: list[str], resolved: dict[str, Any], group_of: dict[str, str]
) -> Iterator[Problem]:
    """Yield members that do not exist or are in two groups; write down the group of each."""
    entries = [entry for section in GROUPED for entry in resolved[section]]
    for entry in members:
        if entry not in entries:
            reason = f"no example set, attack, detector or translator called {entry}.{nearest(entry, entries)}"
            yield Problem(place, reason)
        elif entry in group_of:
            yield Problem(place, f"{entry} is already in the group {group_of[entry]}")
        group_of[entry] = place[1]


def _mixed(place: Place, members: list[str], resolved: dict[str, Any]) -> Iterator[Problem]:
    """Yield what keeps one job from treating all members: other kinds, victims, seeds or shards; or a leak."""
    attacks = [resolved["attacks"][entry] for entry in members if entry in resolved["attacks"]]
    if len({(attack["use"].split("/")[0], on_pipelines(attack)) for attack in attacks}) > 1:
        yield Problem(place, "mixes attacks with adaptive ones, which attack other victims; use two groups")
    sections = _sections(members, resolved)
    if len(sections) > 1:
        yield Problem(place, f"mixes {' and '.join(sorted(sections))}; all members of a group must be of one section")
    seeds = {str(resolved["translators"][entry]["seeds"]) for entry in members if entry in resolved["translators"]}
    if len(seeds) > 1:
        yield Problem(place, f"mixes translators with the seeds {' and '.join(sorted(seeds))}")
    shards = {entry: resolved["examples"][entry]["shards"] for entry in members if entry in resolved["examples"]}
    most, least = max(shards, key=shards.__getitem__, default=""), min(shards, key=shards.__getitem__, default="")
    if most and shards[most] > shards[least]:
        reason = (
            f"{shards[most]}, but {least} in the same group, {place[1]}, has {shards[least]}; all sets of a group need the"
            " same number of shards"
        )
        yield Problem(("examples", most, "shards"), reason)
    calibration = resolved["study"]["calibration"]
    tested = sorted(_scored_sets(resolved) & set(members))
    if calibration in members and tested:
        yield Problem(place, f"groups {calibration}, which gives the thresholds, with {tested[0]}, which is tested on")


def _scored_sets(resolved: dict[str, Any]) -> set[str]:
    """Return the sets that detectors or attacks are tested on."""
    return {
        name
        for question in resolved["evaluations"].values()
        if question["detectors"] or question["attacks"]
        for name in [*question["examples"], *question["attacked"]]
    }
