"""The code digests and imports of Python files, cached by the files' bytes: parsing 200 files takes a second."""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

from touchstone.digests import sha256
from touchstone.pipeline.provenance import whole_files

STORE = Path(".touchstone/parsed_code.json")  # written only if a run has created its folder
MOST = 5000  # entries; a store with more is not read, so it starts again
Parsed = tuple[str, tuple[str, ...]]


def parsed(source: bytes) -> Parsed:
    """Return the digest of a file's code without comments and docstrings, and the modules of touchstone that it imports.

    Raises:
        SyntaxError: The bytes are not Python code.
        ValueError: The file has a relative import, which the digest would not cover.
    """
    store, key = _store(), sha256(source)
    if key not in store:
        tree = ast.parse(source)
        if any(isinstance(node, ast.ImportFrom) and node.level for node in ast.walk(tree)):
            raise ValueError("a relative import; write `from touchstone.NAME import ...`")
        modules = sorted({name for name in imported(tree) if name.startswith("touchstone.")})
        store[key] = digest_of(tree), tuple(modules)
    return store[key]


def save() -> None:
    """Write the store if it has new entries and its folder exists; ignore errors of the file system."""
    if len(_store()) != _saved[0] and STORE.parent.is_dir():
        _saved[0] = len(_store())
        with suppress(OSError):
            content = {"by": _parser(), "files": _store()}
            whole_files.write_whole(STORE, json.dumps(content).encode(), lasting=False)


_saved = [0]  # how many entries the store on disk has


@cache
def _store() -> dict[str, Parsed]:
    """Return {digest of a file's bytes: its code digest and imports}; from disk if the same parser wrote them."""
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        content = json.loads(STORE.read_bytes())
        files = {str(key): (str(digest), tuple(map(str, names))) for key, (digest, names) in content["files"].items()}
        if content["by"] == _parser() and len(files) <= MOST:
            _saved[0] = len(files)
            return files
    return {}


@cache
def _parser() -> str:
    """Return one digest of this file and of Python's version, on which the results depend too."""
    return sha256(Path(__file__).read_bytes() + sys.version.encode())


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
