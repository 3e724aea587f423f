"""The pages of the site about settings files: every key of a study, of claims.yaml and of experiment.yaml.

They are written from the schemas that editors use, so they cannot differ from what is accepted.
"""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

from touchstone.settings import papers
from touchstone.settings.files import read_yaml
from touchstone.settings.schemas import files

Schema = dict[str, Any]

KINDS = {
    "string": "text",
    "number": "number",
    "integer": "number",
    "array": "list",
    "boolean": "true or false",
    "object": "block",
    "condition": "test",
    "rows": "block",
}
EXAMPLES = {
    "base": "base: fashion_mnist",
    "title": "title: Clothes",
    "pdf": "pdf: false",
    "data": "data: {test: {digits_test: {use: digits, source: sklearn_digits, part: test}}, ood_far: [photographs]}",
    "scale": "scale: {seeds: 3, epochs: 20, translators: {epochs: 10}, claims: {G1: 10}}",
    "compute": "compute: {device: cuda, batch_size: 500}",
    "papers": "papers: {fgsm: quick, ./energy_score: full}",
    "change": "change: {attacks: {pgd: {steps: 80}, nudge: {use: fgsm, eps: 8/255}}}",
    "plugins": "plugins: [plugins/]",
    # Sections of `change`.
    "sources": "sources: {mine: {use: own_files, location: flowers/train, sha256: null}}",
    "examples": "examples: {noisy: {use: corruption, of: digits_test, kind: gaussian_noise, severity: 3}}",
    "classifiers": "classifiers: {wide: {use: clean, model: {use: small_cnn, width: 32}, epochs: 30}}",
    "translators": (
        "translators: {noise_unet: {use: translation, model: {use: unet}, classifier: cnn, "
        "attack: {use: pgd, eps: 0.1}}}"
    ),
    "attacks": "attacks: {pgd: {steps: 80}}",
    "margins": "margins: {minimal_pgd: {use: minimal_pgd, steps: 40}}",
    "detectors": "detectors: {knn: {use: knn, k: 50, fit: digits_train}}",
    "defences": "defences: {routed: {classifier: cnn, translator: unet, router: msp}}",
    "evaluations": "evaluations: {robustness: {attacks: [pgd, fgsm]}}",
    "figures": "figures: {roc: {caption: The ROC of each detector}}",
    "confounding": "confounding: {two_ones: {variant: softmax, ones: 2, draws: 3}}",
    "groups": "groups: {convolutional: preact_resnet18}",
    "claims": "claims: {F1: {maxout: maxout, attack: fgsm_25, examples: digits_test}}",
}


def study() -> str:
    """Return the page of a study's keys."""
    schema = _schema("study")
    parts = [
        "# Keys of a study\n\nOf the files in `workflow/studies/`, and `scale` and `compute` of `params.yaml`, too; "
        "[Studies](../studies.md#write-a-study) explains how to write one.\n"
    ]
    for key, block in schema["properties"].items():
        parts.append(f"## {key}\n\n{block['description']}\n\n```yaml\n{EXAMPLES[key]}\n```\n")
        if key == "data":
            parts.append(data_roles())
        if key in ("scale", "compute"):
            parts.append(_table(block["properties"], []))
    parts.append(
        "The sections of `change` follow. An entry is a component (`use:`) with its settings. A number may be a fraction "
        "such as `8/255`.\n"
    )
    sections = schema["definitions"]["change"]["properties"]
    for key, block in sections.items():
        parts.append(f"## {key}\n\n{block['description']}\n\n```yaml\n{EXAMPLES[key]}\n```\n")
        parts.append(_settings_of(key, block, schema["definitions"]))
    return "\n".join(parts)


def data_roles() -> str:
    """Return the data roles as a table: what plays each, and which other one stands for it."""
    common = read_yaml(papers.SHIPPED / "common.yaml")
    experiments = [common, *(read_yaml(papers.SHIPPED / paper / "experiment.yaml") for paper in papers.shipped())]
    instead = {role: other for each in experiments for role, other in each.get("groups", {}).items()}
    rows = ["| role | what plays it | if left out |\n| --- | --- | --- |\n"]
    for role, sentence in common["data_roles"].items():
        other = instead.get(role, [])
        names = ", ".join(f"`{name.removeprefix('$')}`" for name in ([other] if isinstance(other, str) else other))
        rows.append(f"| `{role}` | {_cell(sentence)} | {names} |\n")
    return "".join(rows)


def paper() -> str:
    """Return the page of the keys of claims.yaml and experiment.yaml."""
    schema, experiment = _schema("claims"), _schema("experiment")
    parts = [
        "# Keys of a paper\n\nA paper is a folder of two files: [how to write them](../own_paper.md).\n",
        f"## claims.yaml\n\n{schema['description']}\n",
        _table(schema["properties"], schema["required"]),
    ]
    titles = {"published": "A published figure", "criterion": "A criterion", "condition": "A test of a criterion"}
    rows = schema["definitions"]["criterion"]["properties"]["rows"]
    rows["description"] = schema["definitions"]["rows"]["description"]
    for name, title in titles.items():
        block = schema["definitions"][name]
        parts.append(f"## {title}\n\n{_table(block['properties'], block.get('required', []))}")
    revision = schema["definitions"]["criterion"]["properties"]["revised"]["items"]
    parts.append(f"## A revision\n\n{_table(revision['properties'], revision['required'])}")
    keys = {key: block["description"] for key, block in experiment["properties"].items()}
    lines = "".join(f"| `{key}` | {_cell(text)} |\n" for key, text in keys.items())
    parts.append(f"## experiment.yaml\n\n{experiment['description']}\n\n| key | meaning |\n| --- | --- |\n{lines}")
    parts.append(
        "Entries have the settings that they have [in a study](study.md#change). An entry named `fit_*` with "
        "`each: [blur, noise]` stands for `fit_blur` and `fit_noise`; `*` in its settings stands for the word, too.\n"
    )
    return "\n".join(parts)


def component_table(use: str) -> str:
    """Return the settings of a component, "folder/name" with a point, as a table."""
    return _table(_schema("study")["definitions"][use]["properties"], [], "setting")


@cache
def _schema(name: str) -> Schema:
    schema: Schema = json.loads(files.texts()[f"{name}.json"])
    return schema


def _settings_of(key: str, block: Schema, definitions: dict[str, Schema]) -> str:
    """Return the settings that all entries of a section share, or the keys of a block; "" if there are none."""
    if key in ("scale", "compute"):
        return _table(block["properties"], [])
    if key == "confounding":
        return _table(block["additionalProperties"]["properties"], [])
    if key == "defences":
        return _table(definitions["entry-defences"]["properties"], [])
    shared = definitions.get(f"every-{key}", {}).get("properties", {})
    components = f"The components, each with its own settings: {_folders(key)}.\n" if _folders(key) else ""
    if not shared:
        return components
    return f"Settings of every entry:\n\n{_table(shared, [])}\n{components}"


def _folders(section: str) -> str:
    folders = {
        "examples": ["data"],
        "classifiers": ["training", "pretrained", "models"],
        "translators": ["training", "models"],
        "attacks": ["attacks", "adaptive"],
    }
    alike = ("sources", "margins", "detectors", "evaluations", "figures")
    names = folders.get(section, [section] if section in alike else [])
    return ", ".join(f"[{name}]({name}.md)" for name in names)


def _table(properties: dict[str, Schema], required: list[str], word: str = "key") -> str:
    """Return settings as a table: what each means, takes and defaults to."""
    lines = [f"| {word} | meaning | takes | default |", "| --- | --- | --- | --- |"]
    for key, block in properties.items():
        meaning, takes, default = _split(block)
        if key in required:
            default = "must be given"
        lines.append(f"| `{key}` | {_cell(meaning)} | {_cell(takes)} | {_cell(default)} |")
    return "\n".join(lines) + "\n"


def _split(block: Schema) -> tuple[str, str, str]:
    """Return meaning, type and default of a setting. Its description ends with the last two in brackets."""
    words = [word for word in block.get("enum", []) if word is not None]
    listed = " or ".join(f"`{word}`" for word in words)
    match = re.fullmatch(
        r"(.*?) ?\(([^()]*(?:\([^()]*\))?[^()]*; )?(must be given|default .*)\)", block.get("description", "")
    )
    if match is None:
        return block.get("description", ""), listed or _kind(block), str(block.get("default", ""))
    meaning, takes, default = match[1], (match[2] or "").removesuffix("; "), match[3]
    return meaning, takes or listed, default.removeprefix("default ")


def _kind(block: Schema) -> str:
    """Return what a key of a paper takes, whose description does not say it."""
    for part in block.get("allOf", [block] if "$ref" in block else ()):
        return KINDS.get(part["$ref"].rpartition("/")[2], "")
    if block.get("type") == "array":
        items = _kind(block.get("items", {}))
        return f"list of {items}s" if items else "list"
    types = block.get("type", "")
    return " or ".join(KINDS.get(one, "") for one in (types if isinstance(types, list) else [types]))


def _cell(text: str) -> str:
    parts = re.split(r"(`[^`]*`)", text.replace("|", "&#124;"))
    return "".join(part if part.startswith("`") else re.sub(r"([*<_{}])", r"\\\1", part) for part in parts)
