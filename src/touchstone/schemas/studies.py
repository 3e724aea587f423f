"""The schemas of a study (params.yaml and overlays) and of a paper's questions.yaml, from signatures and docstrings."""

from __future__ import annotations

from collections.abc import Mapping

from touchstone import registry
from touchstone.pipeline.settings.limits import LETTERS
from touchstone.pipeline.settings.patterns import EACH
from touchstone.pipeline.settings.sections import CONFOUNDING_SETTINGS, STUDY_SETTINGS, Section, sections
from touchstone.pipeline.settings.shorthand import INHERITED
from touchstone.plugins import PACKAGE
from touchstone.schemas.blocks import (
    component_definitions,
    entry_definitions,
    family_definitions,
    has_families,
    nested_definitions,
    strict_definitions,
)
from touchstone.schemas.descriptions import ENTRIES, KEYS, SECTIONS, SETTINGS
from touchstone.schemas.values import CRITERION_ID, DRAFT, NAME, Schema, ref, setting_schema, word_definitions
from touchstone.signatures import NESTED, Setting

OWN_FOLDER = "/"  # what tells a paper's folder from a shipped paper
SHIPPED = PACKAGE / "papers"
NAMING = "A name consists of a-z, 0-9 and _, and starts with a letter."


def study_schema() -> Schema:
    """Return the schema of params.yaml and of overlays. No key is required, because the other file may give it."""
    kinds = sections()
    schema = _file("A study of touchstone, or its changes to params.yaml.", kinds)
    schema["properties"] = {
        "study": _settings(STUDY_SETTINGS["study"], SETTINGS["study"]),
        "base": {"type": "string", "minLength": 1},
        "papers": {"type": "array", "items": _paper()},
        "questions": {"type": "array", "items": {"type": "string", "pattern": f"^{NAME}$"}},
        "plugins": {"type": "array", "items": {"type": "string"}},
        "roles": _named(_players("player")),
    } | schema["properties"]
    _describe(schema["properties"])
    # An unknown `use` is most likely mistyped, so editors refuse it. They cannot read plug-in folders, so a study with
    # `plugins:`, or with a paper of its own, may name any component. An overlay that inherits plug-ins repeats `plugins:`.
    own_paper = {"properties": {"papers": {"contains": {"pattern": OWN_FOLDER}}}, "required": ["papers"]}
    strict = strict_definitions(kinds)
    schema["if"] = {"anyOf": [{"required": ["plugins"]}, own_paper]}
    named = {f"^{section}$": ref(f"strict-{section}") for section, kind in kinds.items() if kind.needs_use}
    schema["else"] = {"patternProperties": named}
    schema["definitions"] |= strict
    return schema


def questions_schema() -> Schema:
    """Return the schema of a paper's questions.yaml.

    Any component may follow `use:`, because the folder `components` of the paper may have it; `touchstone check` looks.
    """
    kinds = {section: kind for section, kind in sections().items() if section != "sources"}
    del kinds["evaluations"].settings["system"]  # it is the paper
    schema = _file("What a paper asks of a study: evaluations and figures in roles, and its claims.", kinds)
    sentence = {"type": "string", "minLength": 1}
    schema["properties"] = {"roles": _named(sentence)} | schema["properties"]
    _describe(schema["properties"])
    schema["properties"]["roles"]["description"] = "Every role that this file uses, and what plays it, in a sentence."
    return schema


def _file(description: str, kinds: Mapping[str, Section]) -> Schema:
    """Return the schema of a file with sections of entries."""
    folders = {folder for kind in kinds.values() for folder in kind.folders} | set(NESTED.values())
    definitions = component_definitions(folder for folder in registry.FOLDERS if folder in folders)
    definitions |= word_definitions() | family_definitions() | nested_definitions()
    for section, kind in kinds.items():
        definitions |= entry_definitions(section, kind)
    label = {"type": ["object", "null"]} | _settings(CONFOUNDING_SETTINGS, SETTINGS["confounding"])
    properties = {section: _section(section, kind) for section, kind in kinds.items()}
    return {
        "$schema": DRAFT,
        "description": description,
        "type": "object",
        "properties": properties | {"confounding": _named(label), "claims": _claims()},
        "additionalProperties": False,
        "definitions": definitions,
    }


def _section(section: str, kind: Section) -> Schema:
    entry = ref(f"entry-{section}")
    defaults = {"description": ENTRIES["defaults"], "allOf": [entry]}
    schema = _named(entry) | {"properties": {"defaults": defaults}}
    schema["propertyNames"]["pattern"] = f"^{NAME}(\\*[a-z0-9_]*)?$"
    family: Schema = {"required": [EACH]}
    if has_families(kind.folders):
        family = {"description": ENTRIES["families"], "allOf": [entry, ref("family-eps")]}
        schema["additionalProperties"] = {"allOf": [entry, ref("entry-eps")]}
    schema["patternProperties"] = {
        r"\*": {"if": {"type": "object", "required": [EACH]}, "then": _pattern(), "else": family}
    }
    return schema


def _pattern() -> Schema:
    """Return the schema of an entry that stands for several. Its settings are checked once it is spelled out."""
    words = {"type": "array", "items": {"type": ["string", "integer"]}, "minItems": 1, "uniqueItems": True}
    return {"type": "object", "properties": {EACH: words | {"description": ENTRIES["patterns"]}}}


def _named(value: Schema) -> Schema:
    """Return the schema of a block of names, each with a value."""
    names = {"pattern": f"^{NAME}$", "patternErrorMessage": NAMING, "maxLength": LETTERS}
    return {"type": "object", "propertyNames": names, "additionalProperties": value}


def _settings(settings: Mapping[str, Setting], texts: Mapping[str, str]) -> Schema:
    properties = {name: setting_schema(name, one, texts.get(name, "")) for name, one in settings.items()}
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _claims() -> Schema:
    cast = {"propertyNames": {"pattern": f"^{NAME}$"}, "additionalProperties": _players("entry")}
    shared = {"description": "The roles of every criterion that has them.", "type": "object"} | cast
    claim = {"type": ["object", "string", "null"], "minLength": 1} | cast
    return {
        "type": "object",
        "properties": {"shared": shared},
        "patternProperties": {CRITERION_ID: claim},
        "additionalProperties": False,
    }


def _players(word: str) -> Schema:
    """Return the schema of what plays a role: one word or a list of them, such as entries; each may be a role itself."""
    words = {"type": "string", "allOf": [ref(word)]}
    return {"type": ["string", "array"], "items": words, "minItems": 1, "allOf": [ref(word)]}


def _paper() -> Schema:
    names = sorted(path.parent.name for path in SHIPPED.glob("*/paper.yaml"))
    expected = ", ".join([*names, "or a folder of your own as ./NAME"])
    folder = {"pattern": OWN_FOLDER, "patternErrorMessage": f"Expected {expected}."}
    return {"type": "string", "anyOf": [{"enum": [*names, INHERITED]}, folder]}


def _describe(properties: dict[str, Schema]) -> None:
    for name, text in (SECTIONS | KEYS).items():
        if name in properties:
            properties[name] = {"description": text} | properties[name]
