"""Add the README, linked files and a reference to the site: a hook of mkdocs.yml.

The reference is generated from the source. Signatures and docstrings are read without importing them, so torch is not
needed.
"""

from __future__ import annotations

import ast
import inspect
import os
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

from touchstone import registry
from touchstone.__main__ import command_line

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
OVERVIEW = "overview.md"  # the README in the site
LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)#\s]+)(#[^)\s]*)?\)")
SECTION = re.compile(r"^(Args|Attributes|Returns|Raises|References):\n((?:(?: .*)?\n)+)", re.MULTILINE)
EXAMPLE = re.compile(r"(?:^>>> .*\n(?:(?!\n).+\n?)*)", re.MULTILINE)


def on_files(files: Files, config: Any) -> Files:
    """Return the pages of docs/ with the README, the reference, and every file of the repository that a page links to."""
    made = {
        OVERVIEW: (ROOT / "README.md").read_text(),
        "reference/commands.md": commands(),
        "reference/python.md": python(),
    }
    made |= {f"reference/{folder}.md": components(folder) for folder in registry.FOLDERS}
    for name, text in made.items():
        files.append(File.generated(config, name, content=text))
    for page in (ROOT / "README.md", *DOCS.rglob("*.md")):
        for _, _, link, _ in LINK.findall(page.read_text()):
            target = (page.parent / link).resolve()
            if "://" not in link and target.is_file() and target.suffix != ".md":
                name = target.relative_to(ROOT).as_posix()
                if files.get_file_from_path(name) is None:
                    files.append(File.generated(config, name, abs_src_path=str(target)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Return a page whose links point to their targets in the site.

    Folders have no page there, nor have Markdown files outside docs/ except the README: their links become plain text.
    """
    if page.file.src_uri.startswith("reference/"):
        return markdown
    place = ROOT if page.file.src_uri == OVERVIEW else (DOCS / page.file.src_uri).parent

    def in_site(match: re.Match[str]) -> str:
        mark, words, link, anchor = match.groups()
        if "://" in link:
            return match[0]
        target = Path(os.path.normpath(place / link))
        if target == ROOT / "README.md":
            name = OVERVIEW
        elif target.is_dir() or (target.suffix == ".md" and DOCS not in target.parents):
            return words
        else:
            name = os.path.relpath(target, DOCS if DOCS in target.parents else ROOT)
        name = os.path.relpath(name, Path(page.file.src_uri).parent)
        return f"{mark}[{words}]({Path(name).as_posix()}{anchor or ''})"

    return LINK.sub(in_site, markdown)


def commands() -> str:
    """Return the page of the command line: the help of each command."""
    os.environ["COLUMNS"] = "100"
    parser = command_line()
    parts = [f"# Commands\n\n```text\n{parser.format_help()}```\n"]
    parts += [f"## {name}\n\n```text\n{command.format_help()}```\n" for name, command in parser.commands.items()]
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


def components(folder: str) -> str:
    """Return the page of a component folder: each component with its data, and its settings with type, range and default."""
    parts = [
        f"# {folder}\n\nThe names that `use:` accepts, with every setting, as `touchstone list {folder}` prints them.\n"
    ]
    for name in registry.names(folder):
        component = registry.component(folder, name)
        lines = [f"## {name}\n", _prose(_docstring(component.path, name))]
        if component.data:
            lines.append(f"Takes `{'`, `'.join(dict.fromkeys(component.data))}`.\n")
        if component.settings:
            lines += ["| setting | takes | default |", "| --- | --- | --- |"]
        for key, setting in component.settings.items():
            default = "must be given" if setting.required else f"`{setting.default!r}`"
            lines.append(f"| `{key}` | {str(setting.type).replace('|', chr(92) + '|')} | {default} |")
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def _definition(path: Path, name: str) -> ast.FunctionDef | ast.ClassDef:
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name:
            return node
    raise ValueError(f"{path}: defines no {name}")


def _docstring(path: Path, name: str) -> str:
    return ast.get_docstring(_definition(path, name)) or ""


def _documented(path: Path, name: str, module: str, public: str) -> str:
    """Return a function with its signature and docstring, or a class with those of its public methods."""
    definition = _definition(path, name)
    head = f"## {public}\n\n```python\nfrom {module} import {public}\n"
    if isinstance(definition, ast.FunctionDef):
        return f"{head}\n{_signature(definition)}\n```\n\n{_prose(ast.get_docstring(definition) or '')}\n"
    methods = [item for item in definition.body if isinstance(item, ast.FunctionDef) and not item.name.startswith("_")]
    lines = [f"- `{_signature(method)}`: {_prose(ast.get_docstring(method) or '').strip()}" for method in methods]
    return f"{head}```\n\n{_prose(ast.get_docstring(definition) or '')}\n" + "\n".join(lines)


def _signature(function: ast.FunctionDef) -> str:
    line = f"{function.name}({ast.unparse(function.args)})"
    line += f" -> {ast.unparse(function.returns)}" if function.returns else ""
    return (
        line
        if len(line) < 100
        else line.replace("(", "(\n    ", 1).replace(", *, ", ",\n    *,\n    ").replace(") ->", "\n) ->")
    )


def _prose(text: str) -> str:
    """Return a docstring as Markdown: examples in blocks, markup in all other text escaped."""
    parts, last = [], 0
    text = inspect.cleandoc(text) + "\n"
    for example in EXAMPLE.finditer(text):
        parts += [_escaped(text[last : example.start()]), f"```pycon\n{example[0].rstrip()}\n```\n"]
        last = example.end()
    return SECTION.sub(_section, "".join([*parts, _escaped(text[last:])]))


def _section(section: re.Match[str]) -> str:
    """Return a section of a docstring as a bold heading with a list of its names, or with its text."""
    items = re.sub(r"\n +", " ", inspect.cleandoc(section[2]))
    if section[1] in ("Args", "Attributes", "Raises"):
        items = re.sub(r"^([\w\\]+): ", lambda name: f"- `{name[1].replace(chr(92), '')}`: ", items, flags=re.MULTILINE)
    return f"**{section[1]}**\n\n{items}\n\n"


def _escaped(text: str) -> str:
    code = re.compile(r"(`[^`]*`)")
    return "".join(part if code.fullmatch(part) else re.sub(r"([*\[\]<_])", r"\\\1", part) for part in code.split(text))
