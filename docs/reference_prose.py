"""Docstrings as Markdown: sections as lists, examples in blocks, works and pages that they cite as links."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

import yaml

DOCS = Path(__file__).parent
SECTION = re.compile(r"^(Args|Attributes|Returns|Raises|References):\n((?:(?: .*)?\n)+)", re.MULTILINE)
EXAMPLE = re.compile(r"(?:^>>> .*\n(?:(?!\n).+\n?)*)", re.MULTILINE)
WORKS: dict[str, str] = yaml.safe_load((DOCS / "citations.yaml").read_text())
CITED = re.compile("|".join(re.escape(work) for work in sorted(WORKS, key=len, reverse=True)))
PAGE = re.compile(r"docs/papers/(\w+)\.md")


def definition(path: Path, name: str) -> ast.FunctionDef | ast.ClassDef:
    """Return a function or class at the top level of a file."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name:
            return node
    raise ValueError(f"{path}: defines no {name}")


def docstring(path: Path, name: str = "") -> str:
    """Return the docstring of a function or class in a file, or of the file."""
    node = definition(path, name) if name else ast.parse(path.read_text())
    return ast.get_docstring(node) or ""


def prose(text: str) -> str:
    """Return a docstring as Markdown: examples in blocks, markup in all other text escaped."""
    parts, last = [], 0
    text = inspect.cleandoc(text) + "\n"
    for example in EXAMPLE.finditer(text):
        parts += [_escaped(text[last : example.start()]), f"```pycon\n{example[0].rstrip()}\n```\n"]
        last = example.end()
    return SECTION.sub(_section, "".join([*parts, _escaped(text[last:])]))


def works(path: Path) -> list[str]:
    """Return the works that the references in a file cite, as links, each once."""
    nodes = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    texts = [f"{ast.get_docstring(node) or ''}\n" for node in nodes]
    cited = [
        " ".join(match[2].split()) for text in texts for match in SECTION.finditer(text) if match[1] == "References"
    ]
    return list(dict.fromkeys(f"[{work}]({WORKS[work]})" for text in cited for work in CITED.findall(text)))


def _section(section: re.Match[str]) -> str:
    """Return a section of a docstring as a bold heading with a list of its names, or with its text."""
    items = re.sub(r"\n +", " ", inspect.cleandoc(section[2]))
    if section[1] in ("Args", "Attributes", "Raises"):
        items = re.sub(r"^([\w\\]+): ", lambda name: f"- `{name[1].replace(chr(92), '')}`: ", items, flags=re.MULTILINE)
    if section[1] == "References":
        items = CITED.sub(lambda work: f"[{work[0]}]({WORKS[work[0]]})", items.replace("\n", " "))
        items = PAGE.sub(
            lambda page: f"[{page[1].replace('_', ' ')}](../papers/{page[1]}.md)", items.replace("\\_", "_")
        )
    return f"**{section[1]}**\n\n{items}\n\n"


def _escaped(text: str) -> str:
    code = re.compile(r"(`[^`]*`)")
    return "".join(part if code.fullmatch(part) else re.sub(r"([*\[\]<_])", r"\\\1", part) for part in code.split(text))
