"""Add the README, linked files and a reference to the site: a hook of mkdocs.yml.

The reference is generated from the source. Signatures and docstrings are read without importing them, so torch is not
needed.
"""

from __future__ import annotations

import ast
import os
import re
from pathlib import Path
from typing import Any

import click
import reference_components
import reference_keys
from mkdocs.structure.files import File, Files
from reference_prose import definition, prose

from touchstone import registry
from touchstone.__main__ import command_line

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
# Pages of the site that are outside docs/.
OUTSIDE = {
    "overview.md": ROOT / "README.md",
    "contributing.md": ROOT / "CONTRIBUTING.md",
    "changelog.md": ROOT / "CHANGELOG.md",
    "security.md": ROOT / "SECURITY.md",
    "api.md": ROOT / "API.md",
}
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)#\s]+)(#[^)\s]*)?\)")


def on_files(files: Files, config: Any) -> Files:
    """Return the pages of docs/ with those outside it, the reference, and every file that a page links to."""
    made = {name: path.read_text() for name, path in OUTSIDE.items()} | {
        "reference/commands.md": commands(),
        "reference/python.md": python(),
        "reference/study.md": reference_keys.study(),
        "reference/paper.md": reference_keys.paper(),
        "pictures.md": reference_components.pictures(),
    }
    made |= {f"reference/{folder}.md": reference_components.page(folder) for folder in registry.FOLDERS}
    for name, text in made.items():
        files.append(File.generated(config, name, content=text))
    linking = [(path, path.read_text()) for path in (*OUTSIDE.values(), *DOCS.rglob("*.md"))]
    for page, text in [*linking, (DOCS / "pictures.md", made["pictures.md"])]:
        for _, _, link, _ in LINK.findall(text):
            target = (page.parent / link).resolve()
            if "://" not in link and target.is_file() and target.suffix != ".md":
                name = _in_site(target)
                if files.get_file_from_path(name) is None:
                    files.append(File.generated(config, name, abs_src_path=str(target)))
    return files


def _in_site(target: Path) -> str:
    """Return the place of a file of the repository in the site."""
    return target.relative_to(DOCS if DOCS in target.parents else ROOT).as_posix()


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Return a page whose links point to their targets in the site.

    Folders have no page there, nor have Markdown files outside docs/ that are not in OUTSIDE: their links become plain text.
    """
    if page.file.src_uri.startswith("reference/"):
        return markdown
    place = ROOT if page.file.src_uri in OUTSIDE else (DOCS / page.file.src_uri).parent
    names = {path: name for name, path in OUTSIDE.items()}

    def in_site(match: re.Match[str]) -> str:
        mark, words, link, anchor = match.groups()
        if "://" in link:
            return match[0]
        target = Path(os.path.normpath(place / link))
        if target.is_dir() or (target.suffix == ".md" and DOCS not in target.parents and target not in names):
            return words
        name = os.path.relpath(names.get(target) or _in_site(target), Path(page.file.src_uri).parent)
        return f"{mark}[{words}]({Path(name).as_posix()}{anchor or ''})"

    return LINK.sub(in_site, markdown)


def commands() -> str:
    """Return the page of the command line: the help of each command."""
    os.environ["COLUMNS"] = "100"
    whole = click.Context(command_line, info_name="touchstone", **command_line.context_settings)
    parts = [f"# Commands\n\n```text\n{whole.get_help()}\n```\n"]
    for name in command_line.list_commands(whole):
        command = click.Context(command_line.get_command(whole, name), info_name=name, parent=whole)
        parts.append(f"## {name}\n\n```text\n{command.get_help()}\n```\n")
    return "\n".join(parts)


def python() -> str:
    """Return the page of the public functions and classes: those of `import touchstone`, and those in docs/python.md."""
    parts = [
        "# Python\n\nWhat [the Python page](../python.md) shows, with all parameters. Components have pages of their own.\n"
    ]
    for node in ast.walk(ast.parse((registry.PACKAGE / "__init__.py").read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("touchstone."):
            path = _file(str(node.module))
            parts += [_documented(path, alias.name, "touchstone", alias.asname or alias.name) for alias in node.names]
    for module, names in re.findall(r"from (touchstone\.[\w.]+) import ([\w, ]+)", (DOCS / "python.md").read_text()):
        if module.split(".")[1] not in registry.FOLDERS:
            parts += [_documented(_file(module), name.strip(), module, name.strip()) for name in names.split(",")]
    return "\n".join(parts)


def _file(module: str) -> Path:
    return registry.PACKAGE.parent / f"{module.replace('.', '/')}.py"


def _documented(path: Path, name: str, module: str, public: str) -> str:
    """Return a function with its signature and docstring, or a class with those of its public methods."""
    node = definition(path, name)
    head = f"## {public}\n\n```python\nfrom {module} import {public}\n"
    if isinstance(node, ast.FunctionDef):
        return f"{head}\n{_signature(node)}\n```\n\n{prose(ast.get_docstring(node) or '')}\n"
    methods = [item for item in node.body if isinstance(item, ast.FunctionDef) and not item.name.startswith("_")]
    lines = [f"- `{_signature(method)}`: {prose(ast.get_docstring(method) or '').strip()}" for method in methods]
    return f"{head}```\n\n{prose(ast.get_docstring(node) or '')}\n" + "\n".join(lines)


def _signature(function: ast.FunctionDef) -> str:
    line = f"{function.name}({ast.unparse(function.args)})"
    line += f" -> {ast.unparse(function.returns)}" if function.returns else ""
    return (
        line
        if len(line) < 100
        else line.replace("(", "(\n    ", 1).replace(", *, ", ",\n    *,\n    ").replace(") ->", "\n) ->")
    )
