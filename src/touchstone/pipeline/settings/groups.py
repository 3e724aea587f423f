"""Groups of entries that one job treats together: the list roles of a study, as far as one job can."""

from __future__ import annotations

from typing import Any

from touchstone.pipeline.settings.problems import Problems
from touchstone.pipeline.settings.roles import Roles
from touchstone.pipeline.settings.sections import GROUPED, on_pipelines

Groups = dict[str, dict[str, list[str]]]  # section -> group -> members


def derived_groups(roles: Roles, resolved: dict[str, Any], problems: Problems) -> Groups:
    """Return the groups of a study: one per list role; an entry in no list is a group of its own.

    An entry in several lists belongs to the first. A list whose entries one job cannot treat together loses those that
    do not fit its first entry.

    Args:
        roles: role -> entries.
        resolved: the settings of the study's sections.
        problems: receives roles that bear the name of an entry.
    """
    groups: Groups = {section: {} for section in GROUPED}
    grouped: set[str] = set()
    tested = _scored_sets(resolved)
    for name, role in roles.items():
        for section in GROUPED if role.is_list else ():
            present = [entry for entry in role.entries if entry in resolved[section] and entry not in grouped]
            members = [entry for entry in present if _fits(entry, present[0], section, resolved)]
            if resolved["study"]["calibration"] in members and tested & set(members):
                members.remove(resolved["study"]["calibration"])  # it gives the thresholds of the tests
            if members:
                groups[section][name] = members
                grouped |= set(members)
                if name in resolved[section] and members != [name]:
                    problems.add(("roles", name), f"the name is taken by {section}.{name}", problems.own)
                break
    for section, named in groups.items():
        for entry in resolved[section]:
            if entry not in grouped:
                named[entry] = [entry]
    return groups


def _fits(entry: str, first: str, section: str, resolved: dict[str, Any]) -> bool:
    """Return whether one job can treat two entries: attacks of one kind, translators with equal seeds."""
    return _kind(resolved[section][entry], section) == _kind(resolved[section][first], section)


def _kind(block: dict[str, Any], section: str) -> object:
    match section:
        case "attacks":
            return block["use"].split("/")[0], on_pipelines(block)
        case "translators":
            return block["seeds"]
    return None


def _scored_sets(resolved: dict[str, Any]) -> set[str]:
    """Return the sets that detectors or attacks are tested on."""
    return {
        name
        for question in resolved["evaluations"].values()
        if question["detectors"] or question["attacks"]
        for name in [*question["examples"], *question["attacked"]]
    }
