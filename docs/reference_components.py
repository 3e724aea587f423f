"""The pages of the site about components: a page for each folder, from signatures, docstrings and the shipped studies."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import yaml
from reference_prose import docstring, prose, works

from touchstone import registry

ROOT = registry.PACKAGE.parents[1]
ABOUT = {
    "attacks": "What perturbs images. An attack returns images in [0, 1], within `eps` of its input.",
    "adaptive": "Attacks on a network and the detector, router or translator around it. They take the whole defence.",
    "margins": "Distances from images to the decision boundary. An attack gives an upper bound.",
    "detectors": "Scores of images. A higher score is more anomalous, always.",
    "models": "Architectures: what `model: {use: NAME}` accepts.",
    "training": "Objectives: what a classifier or translator is trained on.",
    "pretrained": "Networks that are read from a file instead of being trained.",
    "sources": "Where raw files come from, with their origin and licence.",
    "data": "Sets of images, made from raw files or from another set.",
    "evaluations": "What a study measures.",
    "figures": "Pictures of evaluations.",
}
SHIPPED = ("params.yaml", "src/touchstone/papers/*/questions.yaml", "workflow/studies/*.yaml")


def page(folder: str) -> str:
    """Return the page of a component folder: an overview, then each component with an example and its settings."""
    names = registry.names(folder)
    texts = {name: docstring(registry.component(folder, name).path, name) for name in names}
    parts = [f"# {folder}\n\n{ABOUT[folder]}\n\n{_overview(folder)}"]
    for name in names:
        component = registry.component(folder, name)
        lines = [f"## {name}\n", prose(texts[name])]
        if folder == "sources":
            lines.append(prose(docstring(component.path).partition("\n\n")[2]))
        if written := example(folder, name):
            lines.append(f"**In a study**\n\n```yaml\n{written}```\n")
        if component.data:
            lines.append(f"Takes `{'`, `'.join(dict.fromkeys(component.data))}`.\n")
        if component.settings:
            lines += ["| setting | takes | default |", "| --- | --- | --- |"]
        for key, setting in component.settings.items():
            default = "must be given" if setting.required else f"`{setting.default!r}`"
            lines.append(f"| `{key}` | {str(setting.type).replace('|', chr(92) + '|')} | {default} |")
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def _overview(folder: str) -> str:
    """Return the components as a table: what each is, and the works that its file cites."""
    rows = []
    for name in registry.names(folder):
        path = registry.component(folder, name).path
        summary = re.sub(rf"^({name}|Figure): ", "", " ".join(docstring(path).partition("\n\n")[0].split()))
        rows.append((f"[`{name}`](#{name})", prose(summary[0].upper() + summary[1:]).strip(), ", ".join(works(path))))
    cited = any(row[2] for row in rows)
    lines = [("name", "what it is", "paper"), ("---",) * 3, *rows]
    return "".join(f"| {' | '.join(line[: 2 + cited])} |\n" for line in lines)


def example(folder: str, name: str) -> str:
    """Return the shortest entry of a shipped study that uses a component, as YAML; "" if there is none."""
    uses = [entry for entry in _entries() if name in _used(entry, folder)]
    texts = [yaml.safe_dump(entry, default_flow_style=None, sort_keys=False, width=110) for entry in uses]
    return min(texts, key=len, default="")


@cache
def _entries() -> tuple[dict[str, Any], ...]:
    """Return all entries of the shipped studies and papers that name a component, each within its section."""
    files = [path for pattern in SHIPPED for path in sorted(ROOT.glob(pattern))]
    return tuple(
        {section: {name: entry}}
        for path in files
        for section, block in yaml.safe_load(path.read_text()).items()
        if isinstance(block, dict) and section not in ("study", "roles", "claims")
        for name, entry in block.items()
        if isinstance(entry, dict) and name != "defaults" and "use" in entry
    )


def _used(entry: dict[str, Any], folder: str) -> Iterator[str]:
    """Return the names of the components of one folder that an entry uses, nested ones included."""
    section, block = next(iter(entry.items()))
    top = next(iter(block.values()))
    own = {"examples": ("data",), "classifiers": ("training", "pretrained"), "translators": ("training",),
           "attacks": ("attacks", "adaptive")}.get(section, (section,))  # fmt: skip
    if folder in own:
        yield top["use"]
    nested = {"model": "models", "member": "models", "attack": "attacks", "attacks": "attacks"}
    for key, value in top.items():
        if nested.get(key) == folder and key in nested:
            for one in value if isinstance(value, list) else [value]:
                if isinstance(one, dict) and "use" in one:
                    yield one["use"]
