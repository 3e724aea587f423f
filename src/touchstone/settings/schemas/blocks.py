"""Blocks with `use:` as JSON schemas: after `use: pgd`, an editor completes the settings of pgd.

No key is required in a block, because a default, a family or another file may give it. Checks that must not add to what
an editor completes are under `patternProperties` and `propertyNames`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from touchstone import registry
from touchstone.registry import Component
from touchstone.settings.schemas.descriptions import SETTINGS
from touchstone.settings.schemas.values import Schema, descriptions, ref, reference_schema, setting_schema, union
from touchstone.settings.sections import FILE_REFERENCES, FILE_SETTINGS, Section
from touchstone.signatures import NESTED

HAS_USE: Schema = {"required": ["use"]}
MERGE = "<<"  # YAML's merge key, which editors show to propertyNames
ONE_EPS = {"type": ["number", "string"]}
SEVERAL_EPS = ONE_EPS | {"minimum": 0, "maximum": 1, "allOf": [ref("arithmetic")]}
Properties = Mapping[str, Schema]


def components(folders: Iterable[str]) -> dict[str, Component]:
    """Return the components of folders by name; the first folder wins, as it does in a study."""
    result: dict[str, Component] = {}
    for folder in folders:
        for name in registry.names(folder):
            result.setdefault(name, registry.component(folder, name))
    return result


def component_definitions(folders: Iterable[str]) -> dict[str, Schema]:
    """Return the definition of every component of folders, `attacks.pgd`: its summary and its settings."""
    every = [registry.component(folder, name) for folder in folders for name in registry.names(folder)]
    return {_definition(one): {"description": one.call.summary, "properties": _settings(one)} for one in every}


def family_definitions() -> dict[str, Schema]:
    """Return what holds for `eps` in an entry, and in a family of entries."""
    several = {"type": [*ONE_EPS["type"], "array"], "items": SEVERAL_EPS, "minItems": 1}
    return {
        name: {"patternProperties": {"^eps$": eps}} for name, eps in (("entry-eps", ONE_EPS), ("family-eps", several))
    }


def nested_definitions() -> dict[str, Schema]:
    """Return the definition of a nested block for each folder: `nested-models` for `model: {use: mlp}`."""
    result = {}
    for folder in NESTED.values():
        block: Schema = {"type": "object"} | _block(components([folder]), {})
        if has_families([folder]):
            block["allOf"].append(ref("entry-eps"))
        result[f"nested-{folder}"] = block
    return result


def entry_definitions(section: str, kind: Section) -> dict[str, Schema]:
    """Return the definition of an entry of a section, and what all of its entries have in common.

    The entry is `entry-attacks`.
    """
    entry: Schema = {"type": "object"}
    if not kind.needs_use:
        return {f"entry-{section}": entry | {"properties": _shared(section, kind, ""), "additionalProperties": False}}
    shared = _every(section, kind)
    definitions = {name: {"properties": properties} for name, properties in shared.values()}
    return definitions | {f"entry-{section}": entry | _block(components(kind.folders), shared)}


def has_families(folders: Iterable[str]) -> bool:
    """Return whether entries of folders may be a family, one for each `eps` of a list: if no component takes a list."""
    kinds = {one.settings["eps"].type.base for one in components(folders).values() if "eps" in one.settings}
    return kinds == {"float"}


def _block(choices: Mapping[str, Component], shared: Mapping[str, tuple[str, Properties]]) -> Schema:
    """Return the schema of a block that has a `use`.

    A block without one changes another block, so it may have any setting of any component.

    Args:
        choices: the components that it may name.
        shared: folder -> the settings that each of its blocks has besides those of the component, after the name of
            their definition.
    """
    branches = []
    for name, one in choices.items():
        definition, properties = shared.get(one.folder, ("", {}))
        parts = [ref(_definition(one)), *([ref(definition)] if definition else [])]
        names = {"enum": ["use", *one.settings, *properties, MERGE]}
        chosen = {"properties": {"use": {"const": name}}, **HAS_USE}
        branches.append({"if": chosen, "then": {"allOf": parts, "propertyNames": names}})
    texts = [one.call.summary for one in choices.values()]
    # Any word may follow `use:`, because a plug-in folder may have it; `touchstone check` looks.
    use = {"anyOf": [{"enum": [*choices], "enumDescriptions": texts}, {"type": "string"}]}
    changed = {"properties": _union(choices, shared)}
    return {"properties": {"use": use}, "allOf": branches, "if": HAS_USE, "else": changed}


def _union(choices: Mapping[str, Component], shared: Mapping[str, tuple[str, Properties]]) -> dict[str, Schema]:
    return union(dict(shared.values()) | {_definition(one): _settings(one) for one in choices.values()})


def _every(section: str, kind: Section) -> dict[str, tuple[str, Properties]]:
    """Return folder -> the settings that entries share besides those of their component, after their definition's name."""
    shared = {folder: _shared(section, kind, folder) for folder in kind.folders}
    return {
        folder: ("every-file" if folder == "pretrained" else f"every-{section}", properties)
        for folder, properties in shared.items()
        if properties
    }


def _shared(section: str, kind: Section, folder: str) -> dict[str, Schema]:
    settings, references = kind.settings, dict(kind.references)
    if folder == "pretrained":
        settings, references = FILE_SETTINGS, dict(FILE_REFERENCES)
    elif section == "classifiers":
        del references["source"]  # of a network that is read from a file
    texts = SETTINGS.get(section, {}) | SETTINGS.get(folder, {})
    return {
        **{name: setting_schema(name, setting, texts.get(name, "")) for name, setting in settings.items()},
        **{name: reference_schema(one, texts.get(name, "")) for name, one in references.items()},
    }


def _settings(component: Component) -> dict[str, Schema]:
    texts = SETTINGS.get(component.folder, {}) | descriptions([component.second, component.call])
    families = has_families([component.folder])
    return {
        name: setting_schema(name, one, texts.get(name, ""), family=families and name == "eps")
        for name, one in component.settings.items()
    }


def _definition(component: Component) -> str:
    return f"{component.folder}.{component.name}"
