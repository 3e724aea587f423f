"""The code digests and imports of Python files, and the store of what files were parsed to."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import suppress

from touchstone import parsed_files
from touchstone.digests import sha256
from touchstone.pipeline.provenance import whole_files

Parsed = tuple[str, tuple[str, ...]]


def parsed(source: bytes) -> Parsed:
    """Return the digest of a file's code without comments and docstrings, and the modules of touchstone that it imports.

    Raises:
        SyntaxError: The bytes are not Python code.
        ValueError: The file has a relative import, which the digest would not cover.
    """
    digest, modules = parsed_files.remembered(f"code {parsed_files.version(__file__)}", source, _parse)
    return digest, tuple(modules)


def _parse(source: bytes) -> list[object]:
    tree = ast.parse(source)
    if any(isinstance(node, ast.ImportFrom) and node.level for node in ast.walk(tree)):
        raise ValueError("a relative import; write `from touchstone.NAME import ...`")
    modules = sorted({name for name in imported(tree) if name.startswith("touchstone.")})
    return [digest_of(tree), modules]


def save() -> None:
    """Write what files were parsed to, if there is news and the store's folder exists; ignore errors of the file system."""
    if parsed_files.STORE.parent.is_dir() and (content := parsed_files.unsaved()) is not None:
        with suppress(OSError):
            whole_files.write_whole(parsed_files.STORE, content, lasting=False)


def digest_of(tree: ast.Module) -> str:
    """Return the digest of a module's code without comments and docstrings."""
    return sha256(_without_docstrings(tree).encode())


def _without_docstrings(tree: ast.Module) -> str:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)


def imported(node: ast.AST) -> Iterator[str]:
    """Yield the names of the modules that a node imports when it runs.

    Imports that only type checkers see are not among them.
    """
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
        yield node.module
        yield from (f"{node.module}.{alias.name}" for alias in node.names)
    children = ast.iter_child_nodes(node)
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        children = iter(node.orelse)
    for child in children:
        yield from imported(child)
