"""What a section writes once for many entries: `defaults:`, and families such as `pgd_*` with a list of eps."""

from __future__ import annotations

from typing import Any

from touchstone import registry
from touchstone.messages import nearest
from touchstone.registry import Component
from touchstone.settings.files import NAME
from touchstone.settings.problems import Problems
from touchstone.settings.sections import FILE_REFERENCES, FILE_SETTINGS, Section
from touchstone.settings.values import shown

DEFAULTS, FAMILY = "defaults", "_*"
INHERITED = "$inherited"


def merged(old: Any, change: Any) -> Any:
    """Return a value after a change.

    Blocks are merged key by key, unless the change names another component. `$inherited` in a list is the list before.
    """
    if isinstance(change, list) and INHERITED in change:
        before = old if isinstance(old, list) else [] if old is None else [old]
        return [item for entry in change for item in (before if entry == INHERITED else [entry])]
    if not isinstance(old, dict) or not isinstance(change, dict):
        return change
    if "use" in change and "use" in old and change["use"] != old["use"]:
        return change
    return old | {key: merged(old.get(key), value) for key, value in change.items()}


def with_families(
    section: str, blocks: dict[str, Any], problems: Problems
) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """Return a section's entries, each family replaced by one entry per eps, and {family: its entries}.

    An entry that is also written by its own name is merged over the family's.
    """
    entries: dict[str, Any] = {}
    families: dict[str, list[str]] = {}
    for name, block in blocks.items():
        if not name.endswith(FAMILY):
            entries.setdefault(name, block)
            continue
        members = _members(section, name, block, problems)
        families[name] = list(members)
        for member, change in members.items():
            problems.record_origin((section, member), (section, name))
            entries[member] = merged(change, blocks[member]) if member in blocks else change
    return entries, families


def family_block(name: str, blocks: dict[str, Any]) -> Any:
    """Return the block of the family that an entry is of: of pgd_10 that of pgd_*; None if no family has it."""
    for family, block in blocks.items():
        listed = block.get("eps") if family.endswith(FAMILY) and isinstance(block, dict) else None
        if isinstance(listed, list) and name in (_member(family, eps) for eps in listed):
            return block
    return None


def _members(section: str, family: str, block: Any, problems: Problems) -> dict[str, Any]:
    """Return {entry: its block} of a family."""
    place = (section, family)
    if not NAME.fullmatch(family.removesuffix(FAMILY)):
        problems.add(place, "a family is named like an entry, with _* at its end")
    elif not isinstance(block, dict) or not isinstance(block.get("eps"), list) or not block["eps"]:
        problems.add(place, "a family needs eps: a list, one entry for each")
    else:
        names = [_member(family, eps) for eps in block["eps"]]
        for eps, name in zip(block["eps"], names, strict=True):
            if not name:
                reason = f"expected hundredths, such as 0.05, or a fraction, such as 8/255, got {shown(eps)}"
                problems.add((*place, "eps"), reason)
            elif names.count(name) > 1:
                problems.add((*place, "eps"), f"two entries would be called {name}")
                return {}
        return {name: {**block, "eps": eps} for eps, name in zip(block["eps"], names, strict=True) if name}
    return {}


def _member(family: str, eps: Any) -> str:
    """Return the name of an entry of `pgd_*`: pgd_05 for 0.05, pgd_8 for "8/255"; "" if eps gives no name."""
    suffix = ""
    if isinstance(eps, str):
        numerator, slash, _ = eps.partition("/")
        suffix = numerator.strip() if slash and numerator.strip().isdecimal() else ""
    elif isinstance(eps, int | float) and not isinstance(eps, bool) and 0 <= eps <= 1:
        hundredths = round(100 * eps)
        suffix = f"{hundredths:02d}" if abs(100 * eps - hundredths) < 1e-9 else ""
    return family.removesuffix("*") + suffix if suffix else ""


def with_defaults(
    section: str, kind: Section, blocks: dict[str, Any], problems: Problems, own: dict[str, Any]
) -> dict[str, Any]:
    """Return a section's entries, each with the defaults of the section that its component knows.

    Args:
        section: its name.
        kind: what its entries may hold.
        blocks: entry -> block; the key `defaults` holds the defaults.
        problems: receives the study's own defaults that no entry takes.
        own: the defaults that the study's own file writes.
    """
    defaults = blocks.get(DEFAULTS, {})
    entries = {name: block for name, block in blocks.items() if name != DEFAULTS}
    if not isinstance(defaults, dict):
        problems.add((section, DEFAULTS), f"expected settings, got {shown(defaults)}")
        return entries
    taken = set[str]()
    for name, block in entries.items():
        if isinstance(block, dict):
            component = component_of(kind, block.get("use", defaults.get("use")))
            fitting = {key: value for key, value in defaults.items() if key == "use" or takes(kind, component, key)}
            taken |= fitting.keys()
            for key in fitting.keys() - block.keys():
                problems.record_origin((section, name, key), (section, DEFAULTS, key))
            entries[name] = fitting | block
    for key in defaults.keys() - taken - {"use"}:
        if key in own and entries:
            problems.add((section, DEFAULTS, key), f"no entry of {section} has this setting; remove it")
        elif not (known := _known(kind)) & {key}:
            problems.add((section, DEFAULTS, key), f"no entry of {section} can have this setting.{nearest(key, known)}")
    return entries


def _known(kind: Section) -> set[str]:
    """Return the settings that entries of a section can have, whatever their component."""
    components = [registry.component(folder, name) for folder in kind.folders for name in registry.names(folder)]
    return {*kind.settings, *kind.references, *(key for component in components for key in component.settings)}


def takes(kind: Section, component: Component | None, key: str) -> bool:
    """Return whether an entry with this component, or without any, may have a setting."""
    if component is not None and component.folder == "pretrained":
        return key in {*FILE_REFERENCES, *FILE_SETTINGS, *component.settings}
    return key in kind.references or key in kind.settings or (component is not None and key in component.settings)


def takes_list(kind: Section, component: Component | None, key: str) -> bool:
    """Return whether a setting of an entry with this component, or without any, is a list."""
    if key in kind.references:
        return kind.references[key].many
    setting = kind.settings.get(key) or (component.settings.get(key) if component is not None else None)
    return setting is not None and setting.type.base == "list"


def component_of(kind: Section, use: Any) -> Component | None:
    """Return the component that an entry's `use` names; None if there is none."""
    folders = [folder for folder in kind.folders if isinstance(use, str) and use in registry.names(folder)]
    return registry.component(folders[0], use) if folders else None
