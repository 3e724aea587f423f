"""The schemas of a study (and of params.yaml) and of a paper's experiment.yaml, from models, signatures and docstrings."""

from __future__ import annotations

from collections.abc import Mapping

from touchstone import registry
from touchstone.claims.variant_files import LABEL, MOST
from touchstone.settings.limits import LETTERS
from touchstone.settings.papers import shipped
from touchstone.settings.patterns import EACH
from touchstone.settings.schemas.blocks import (
    component_definitions,
    entry_definitions,
    family_definitions,
    has_families,
    nested_definitions,
)
from touchstone.settings.schemas.descriptions import ENTRIES, KEYS, SCALE, SECTIONS, SETTINGS, TRIED, VARIANT
from touchstone.settings.schemas.values import CRITERION_ID, DRAFT, NAME, Schema, ref, setting_schema, word_definitions
from touchstone.settings.sections import CONFOUNDING_SETTINGS, STUDY_SETTINGS, Section, sections
from touchstone.settings.study_models import GRADES, MULTIVERSE, Compute, Scale, StudyFile
from touchstone.signatures import NESTED, Setting

NOISE = ("title", "default", "description")  # what pydantic writes and editors need not show
NAMING = "A name consists of a-z, 0-9 and _, and starts with a letter."


def study_schema() -> Schema:
    """Return the schema of a study. It has no required key, so that params.yaml keeps it, too."""
    kinds = sections()
    sets = {"type": ["string", "array", "object"], "allOf": [ref("player")]}
    role = sets | {"additionalProperties": ref("entry-examples")}
    role["items"] = role | {"type": ["string", "object"]}
    own = {"sources": _section("sources", kinds["sources"]), "sets": _section("examples", kinds["examples"])}
    return _file("A study of touchstone.", kinds) | {
        "properties": _described(
            _model_properties()
            | {
                "data": _named(role) | {"properties": own},
                "scale": _scale(kinds),
                "compute": _settings({name: STUDY_SETTINGS["study"][name] for name in Compute.model_fields}, "study"),
                "papers": _named_papers(),
                "change": _beside("change"),
            }
        )
    }


def experiment_schema() -> Schema:
    """Return the schema of a paper's experiment.yaml, and of common.yaml.

    Any component may follow `use:`, because the folder `components` of the paper may have it; `touchstone check` looks.
    """
    kinds = sections()
    del kinds["evaluations"].settings["system"]  # it is the paper
    schema = _file("A paper's experiment: what it trains, attacks and measures, in data roles.", kinds)
    names = {"type": "array", "items": {"type": "string", "pattern": f"^{NAME}$"}}
    grade = {"evaluations": names, "figures": names, "groups": _named(_players("player")), "change": _beside("change")}
    block = {"type": "object", "properties": grade, "additionalProperties": False}
    text = {"type": "string", "minLength": 1}
    grades = dict.fromkeys(GRADES, block) | {MULTIVERSE: block | {"properties": grade | _tried()}}
    schema["properties"] = _described(
        {"data_roles": _named(text), "words": _named(text) | {"propertyNames": _patterns()}}
        | {"groups": _named(_players("player"))}
        | schema["definitions"]["change"]["properties"]
        | {"grades": {"type": "object", "properties": grades, "additionalProperties": False}}
    )
    return schema


def _tried() -> Schema:
    """Return what a grade says of the claim that it tries in variants."""
    text: Schema = {"type": "string", "minLength": 1}
    cast = {"type": "object", "propertyNames": {"pattern": f"^{NAME}$"}, "additionalProperties": _players("entry")}
    keys: dict[str, Schema] = {
        "changed": text | {"maxLength": LABEL}, "reason": text, "roles": cast, "kind": cast, "eps": {"type": "number"},
    }  # fmt: skip
    variant = {"type": "object", "properties": keys, "required": ["changed", "reason"], "additionalProperties": False}
    number = {"type": "object", "required": ["name"]}
    blocks: dict[str, Schema] = {
        "claim": {"type": "string", "pattern": CRITERION_ID},
        "gate": {"type": "array", "items": number, "minItems": 1},
        "variants": _named(variant) | {"minProperties": 1, "maxProperties": MOST},
    }
    for texts, properties in ((TRIED, blocks), (VARIANT, keys)):
        for name, each in texts.items():
            properties[name] = properties[name] | {"description": each}
    return blocks


def _beside(definition: str) -> Schema:
    """Return a reference beside which a description may stand."""
    return {"allOf": [ref(definition)]}


def _file(description: str, kinds: Mapping[str, Section]) -> Schema:
    """Return the schema of a file, without its properties; the definition `change` has all sections."""
    folders = {folder for kind in kinds.values() for folder in kind.folders} | set(NESTED.values())
    definitions = component_definitions(folder for folder in registry.FOLDERS if folder in folders)
    definitions |= word_definitions() | family_definitions() | nested_definitions()
    for section, kind in kinds.items():
        definitions |= entry_definitions(section, kind)
    parts = {section: _section(section, kind) for section, kind in kinds.items()}
    parts |= {"confounding": _named(_settings(CONFOUNDING_SETTINGS, "confounding")), "claims": _claims()}
    parts["groups"] = _named(_players("player"))
    definitions["change"] = {"type": "object", "properties": _described(parts), "additionalProperties": False}
    return {
        "$schema": DRAFT,
        "description": description,
        "type": "object",
        "properties": {},
        "additionalProperties": False,
        "definitions": definitions,
    }


def _model_properties() -> dict[str, Schema]:
    """Return what the model of a study says of its keys."""
    properties: dict[str, Schema] = StudyFile.model_json_schema()["properties"]
    return {
        name: {key: value for key, value in block.items() if key not in NOISE} for name, block in properties.items()
    }


def _scale(kinds: Mapping[str, Section]) -> Schema:
    """Return the schema of `scale`: settings of trainings and of the study, and seeds by claim."""
    study, training = STUDY_SETTINGS["study"], kinds["classifiers"].settings
    settings = {name: one for name, one in {**study, **training}.items() if name in Scale.model_fields}
    seeds: Schema = {"type": ["integer", "array"], "minimum": 1, "items": {"type": "integer"}, "uniqueItems": True}
    block = _settings(settings, "scale")
    block["properties"] |= {
        "seeds": seeds,
        "classifiers": _beside("entry-classifiers"),
        "translators": _beside("entry-translators"),
        "claims": {"type": "object", "patternProperties": {CRITERION_ID: seeds}, "additionalProperties": False},
    }
    for name, text in SCALE.items():
        block["properties"][name] = block["properties"][name] | {"description": text}
    return block


def _named_papers() -> Schema:
    """Return the schema of papers with their grades: shipped ones, which editors complete, and folders."""
    grade: Schema = {"enum": [*GRADES]}
    return {"type": "object", "properties": dict.fromkeys(shipped(), grade), "additionalProperties": False,
            "patternProperties": {"/": grade}}  # fmt: skip


def _section(section: str, kind: Section) -> Schema:
    entry = ref(f"entry-{section}")
    defaults = {"description": ENTRIES["defaults"], "allOf": [entry]}
    schema = _named(entry) | {"properties": {"defaults": defaults}}
    schema["propertyNames"] = _patterns()
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


def _patterns() -> Schema:
    """Return the schema of a name in which a `*` may stand for words."""
    return {"pattern": f"^{NAME}(\\*[a-z0-9_]*)?$", "patternErrorMessage": NAMING, "maxLength": LETTERS}


def _settings(settings: Mapping[str, Setting], part: str) -> Schema:
    texts = SETTINGS.get(part, {})
    properties = {name: setting_schema(name, one, texts.get(name, "")) for name, one in settings.items()}
    return {"type": "object", "properties": properties, "additionalProperties": False}


def _claims() -> Schema:
    cast = {"propertyNames": {"pattern": f"^{NAME}$"}, "additionalProperties": _players("entry")}
    shared = {"description": "The roles of every criterion that has them.", "type": "object"} | cast
    claim = {"type": ["object", "string"], "minLength": 1} | cast
    return {
        "type": "object",
        "properties": {"shared": shared},
        "patternProperties": {CRITERION_ID: claim},
        "additionalProperties": False,
    }


def _players(word: str) -> Schema:
    """Return the schema of a name or a list of names, such as entries; each may be a data role or a group."""
    words = {"type": "string", "allOf": [ref(word)]}
    return {"type": ["string", "array"], "items": words, "minItems": 1, "allOf": [ref(word)]}


def _described(properties: dict[str, Schema]) -> dict[str, Schema]:
    return {
        name: {"description": (SECTIONS | KEYS)[name]} | block if name in SECTIONS | KEYS else block
        for name, block in properties.items()
    }
