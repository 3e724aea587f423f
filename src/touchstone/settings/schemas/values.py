"""Settings and references as JSON schemas: their types, bounds, defaults and, from docstrings, descriptions.

The keywords are those of draft-07, which every version of the YAML language server supports. It ignores what stands
beside a `$ref`, so a reference with a description is wrapped in `allOf`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from touchstone.claims.paper_files import IDS
from touchstone.settings import files
from touchstone.settings.sections import Reference
from touchstone.signatures import Setting, Signature, Type

Schema = dict[str, Any]

DRAFT = "http://json-schema.org/draft-07/schema#"
NAME = files.NAME.pattern
ENTRY = f"^\\$?{NAME}$"  # the name of an entry, or a role
PUBLISHED_ID, CRITERION_ID = (f"^{IDS[part].pattern}$" for part in ("published", "criteria"))
BOUNDS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}
PLAIN = {
    "int": ["integer"],
    "float": ["number", "string"],
    "bool": ["boolean"],
    "str": ["string"],
    "mapping": ["object"],
}

# Definitions of words: pattern, and what editors say about a word that does not match it.
WORDS = {
    "arithmetic": (r"^[-+*/(). 0-9e]+$", "Expected a number, or a fraction such as 8/255."),
    "digest": ("^sha256:[0-9a-f]{64}$", "Expected sha256: and 64 hexadecimal digits."),
    "entry": (ENTRY, "Expected the name of an entry (a-z, 0-9 and _, a letter first), or a $role."),
    "player": (
        f"^(\\$?{NAME}|{NAME}\\*[a-z0-9_]*)$",
        "Expected the name of an entry, a $role, or a family such as pgd_*.",
    ),
    "all-or-role": (f"^(all|\\${NAME})$", "Expected a list of entries, a $role, or all."),
    "role": (f"^\\${NAME}$", "Expected a list, or a $role."),
}


def word_definitions() -> dict[str, Schema]:
    """Return the definitions of words that settings and references share."""
    return {name: {"pattern": pattern, "patternErrorMessage": text} for name, (pattern, text) in WORDS.items()}


def ref(definition: str) -> Schema:
    """Return a reference to a definition of the same file."""
    return {"$ref": f"#/definitions/{definition}"}


def setting_schema(name: str, setting: Setting, description: str = "", *, family: bool = False) -> Schema:
    """Return the schema of one setting.

    Args:
        name: of the setting.
        setting: its type and default.
        description: what it means, from the docstring.
        family: whether a family of entries may give a list of it; blocks.py checks the type of such a setting.
    """
    schema = type_schema(setting.type)
    if family:
        del schema["type"]
    if name == "seeds":
        schema["uniqueItems"] = True
    if setting.default == []:
        del schema["minItems"]  # an empty list takes back what a paper writes
    shown = setting.default if isinstance(setting.default, str) else json.dumps(setting.default)
    listed = [] if setting.type.base == "word" else [str(setting.type)]  # editors list the words of an enum
    _describe(schema, description, *listed, "must be given" if setting.required else f"default {shown}")
    if not setting.required:
        schema["default"] = setting.default
    return schema


def type_schema(kind: Type) -> Schema:
    """Return the schema of the values of a type.

    Lists of texts may be a role instead, because some of them name entries.
    """
    null = ["null"] if kind.optional else []
    match kind.base:
        case "word":
            return {"enum": [*kind.words, *([None] if kind.optional else [])]}
        case "digest":
            return {"type": _types("string", *null), "allOf": [ref("digest")]}
        case "list":
            assert kind.item is not None
            schema: Schema = {"items": type_schema(kind.item), "minItems": 1}
            if kind.item.base == "str":
                return {"type": _types("array", "string", *null), **schema, "allOf": [ref("role")]}
            return {"type": _types("array", *null), **schema}
        case "nested":
            return {"allOf": [ref(f"nested-{kind.folder}")]}
    schema = {"type": _types(*PLAIN[kind.base], *null)}
    if kind.base == "float":
        schema["allOf"] = [ref("arithmetic")]
    limits = {keyword: getattr(kind.bounds, bound, None) for bound, keyword in BOUNDS.items()}
    return schema | {keyword: limit for keyword, limit in limits.items() if limit is not None}


def reference_schema(reference: Reference, description: str = "") -> Schema:
    """Return the schema of a setting that names entries: names, roles, and `all` where it is a list."""
    null = [] if reference.required else ["null"]
    wanted = " or ".join(reference.sections)
    if not reference.many:
        schema: Schema = {"type": _types("string", *null), "allOf": [ref("entry")]}
        wanted = f"an entry of {wanted}"
    else:
        items = {"type": "string", "allOf": [ref("entry")]}
        word = "entry" if reference.bare else "all-or-role"
        schema = {"type": _types("array", "string", *null), "items": items, "allOf": [ref(word)]}
        wanted = f"entries of {wanted}" + ("" if reference.bare else ", or all")
    _describe(schema, description, wanted, *(["must be given"] if reference.required else []))
    return schema


def _types(*types: str) -> str | list[str]:
    return types[0] if len(types) == 1 else [*types]


def _describe(schema: Schema, description: str, *facts: str) -> None:
    """Write a description, and facts in brackets behind it, into a schema."""
    text = "; ".join(facts)
    schema["description"] = f"{description} ({text})" if description else f"{text[0].upper()}{text[1:]}."


def descriptions(signatures: Iterable[Signature]) -> dict[str, str]:
    """Return what docstrings say about each setting: its text under Args, or else the first sentence that names it."""
    texts: dict[str, str] = {}
    for signature in signatures:
        arguments = _arguments(signature.meaning)
        sentences = _sentences(signature.meaning)
        for name in signature.settings:
            named = (sentence for sentence in sentences if re.search(rf"`{name}[`:]", sentence))
            if text := arguments.get(name) or next(named, ""):
                texts[name] = text
    return texts


def _arguments(docstring: str) -> dict[str, str]:
    """Return the texts under Args: by the argument's name; one text may be about several arguments."""
    section = re.search(r"^Args:\n((?:[ ]+.*\n?|\n)*)", docstring, re.MULTILINE)
    texts: dict[str, str] = {}
    for item in re.split(r"\n(?=    \S)", section[1] if section else ""):
        names, _, text = item.partition(": ")
        texts |= dict.fromkeys(re.split(r",\s*", names.strip()), " ".join(text.split()))
    return texts


def _sentences(docstring: str) -> list[str]:
    prose = re.split(r"\n\n(?=Args:|Returns:|Raises:|References:)", docstring)[0]
    return re.split(r"(?<=\.)\s+(?=[A-Z`])", " ".join(prose.split()))


def union(definitions: Mapping[str, Mapping[str, Schema]]) -> dict[str, Schema]:
    """Return the settings of several definitions together; one that differs between them takes any of its types.

    Args:
        definitions: name -> its properties.
    """
    variants: dict[str, list[Schema]] = {}
    first: dict[str, str] = {}
    for definition, properties in definitions.items():
        for name, schema in properties.items():
            first.setdefault(name, definition)
            if schema not in (listed := variants.setdefault(name, [])):
                listed.append(schema)
    return {
        name: ref(f"{first[name]}/properties/{name}") if len(listed) == 1 else _any_of(listed)
        for name, listed in variants.items()
    }


def _any_of(schemas: list[Schema]) -> Schema:
    bare: list[Schema] = []
    for schema in schemas:
        plain = {keyword: value for keyword, value in schema.items() if keyword not in ("description", "default")}
        if plain not in bare:
            bare.append(plain)
    return bare[0] if len(bare) == 1 else {"anyOf": bare}
