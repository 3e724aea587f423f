"""The pages of the site about components: a page for each folder, from signatures, docstrings and the shipped studies."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

import reference_keys
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
SECTIONS = frozenset(
    (
        *("sources", "examples", "classifiers", "translators", "attacks", "margins", "detectors", "defences"),
        *("evaluations", "figures"),
    )
)
FIGURES = "reports/fashion_mnist/figures"
SHIPPED = ("src/touchstone/papers/common.yaml", "src/touchstone/papers/*/experiment.yaml", "workflow/studies/*.yaml")


def page(folder: str) -> str:
    """Return the page of a component folder: an overview, then each component with an example and its settings."""
    names = registry.names(folder)
    texts = {name: docstring(registry.component(folder, name).path, name) for name in names}
    parts = [f"# {folder}\n\n{ABOUT[folder]}\n\n{_overview(folder)}"]
    for name in names:
        component = registry.component(folder, name)
        lines = [f"## {name}\n", _without(component.settings, prose(texts[name]))]
        if component.fit is not None:
            lines.append(f"**Fitting**: {prose(docstring(component.path, 'fit'))}")
        if folder == "sources":
            lines.append(prose(docstring(component.path).partition("\n\n")[2]))
        if written := example(folder, name):
            lines.append(f"**In a study**\n\n```yaml\n{written}```\n")
        if component.data and "**Args**" not in lines[1]:
            lines.append(f"Takes `{'`, `'.join(dict.fromkeys(component.data))}`.\n")
        if component.settings:
            lines.append(reference_keys.component_table(f"{folder}.{name}"))
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def _without(settings: Iterable[str], text: str) -> str:
    """Return a docstring in Markdown without the arguments that are settings: the table below it has them."""
    for name in settings:
        text = re.sub(rf"^- `{name}`: .*\n", "", text, flags=re.MULTILINE)
    return re.sub(r"^\*\*Args\*\*\n\n(?=\n|\Z)", "", text, flags=re.MULTILINE)


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


def pictures() -> str:
    """Return the page of figures: each component once, as Fashion-MNIST has it, with the lines that draw it."""
    parts = [
        "# Figures of a report\n\nEvery picture is a few lines under `figures:` in a paper's `experiment.yaml`, or under "
        "`change:` in a study. The run "
        "draws it for the report, and writes it to `reports/STUDY/figures/` as SVG and PDF. `evaluation` names the question "
        "whose numbers are drawn; [figures](reference/figures.md) lists all settings. These pictures are from "
        "`make run STUDY=fashion_mnist`.\n"
    ]
    shown = set[str]()
    for entry in _entries():
        name, figure = next(iter(entry.get("figures", {}).items()), ("", {}))
        if not name or figure["use"] in shown or not (ROOT / FIGURES / f"{name}.svg").is_file():
            continue
        shown.add(figure["use"])
        lines = {key: value for key, value in figure.items() if key != "caption"} | {"caption": "..."}
        written = yaml.safe_dump({"figures": {name: lines}}, default_flow_style=None, sort_keys=False, width=86)
        question = (
            docstring(registry.component("figures", figure["use"]).path).partition("\n\n")[0].removeprefix("Figure: ")
        )
        heading = " ".join(question.split()).rstrip(".")
        parts.append(
            f"## {prose(heading[0].upper() + heading[1:]).strip()}\n\n![{figure['use']}](../{FIGURES}/{name}.svg)\n\n"
            f"{prose(' '.join(str(figure.get('caption', '')).split()))}\n\n```yaml\n{written}```\n"
        )
    return "\n".join(parts)


def example(folder: str, name: str) -> str:
    """Return an entry of a shipped study that uses a component, as YAML: one of its name, or the shortest, or ""."""
    uses = [entry for entry in _entries() if name in _used(entry, folder)]
    texts = [yaml.safe_dump(entry, default_flow_style=None, sort_keys=False, width=86) for entry in uses]
    return min(texts, key=lambda text: (f"\n  {name}:" not in text, len(text)), default="")


@cache
def _entries() -> tuple[dict[str, Any], ...]:
    """Return all entries of the shipped papers and studies that name a component, each within its section."""
    files = [path for pattern in SHIPPED for path in sorted(ROOT.glob(pattern))]
    return tuple(
        {section: {name: entry}}
        for path in files
        for section, block in _sections(yaml.safe_load(path.read_text()))
        if isinstance(block, dict)
        for name, entry in block.items()
        if isinstance(entry, dict) and name != "defaults" and "use" in entry
    )


def _sections(content: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the sections of a paper's experiment, or those that the data and the changes of a study write."""
    yield from ((section, block) for section, block in content.items() if section in SECTIONS)
    for key, block in content.get("data", {}).items():
        yield ("sources" if key == "sources" else "examples"), block
    for changes in (content, *content.get("grades", {}).values()):
        yield from changes.get("change", {}).items()


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
