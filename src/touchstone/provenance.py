"""Digests of code and bytes, sidecars that chain them, and files that are whole or absent. No torch, no numpy."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import secrets
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from touchstone import plugins
from touchstone.digests import file_digest, sha256

PACKAGE = plugins.PACKAGE
SIDECAR = ".prov.json"
ALWAYS = "records.py"  # it decides the bytes of every artefact
CPU_PATHS = "cpu_paths.py"  # and its pins the last bits of every number
# Not Python, so no import leads there, but the page and the verdicts on it are made of them.
TEMPLATES = {"steps/report.py": "reporting_templates", "criteria.py": "claims"}


def sidecar_path(path: Path) -> Path:
    """Return where the sidecar of an artefact lies: beside it."""
    return path.with_name(path.name + SIDECAR)


def canonical(value: object) -> str:
    """Return the one JSON text of `value`, keys sorted: what is compared, digested and passed to jobs."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


# --- code ---------------------------------------------------------------------------------------------------------


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
    """Yield the names of all modules that are imported below a node when it runs: not those for type checkers alone."""
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


def source_digest(source: bytes) -> str:
    """Return the digest of a Python file's code, comments and docstrings apart; SyntaxError where it is none."""
    return _digest(ast.parse(source))


def _digest(tree: ast.Module) -> str:
    return sha256(_without_docstrings(tree).encode())


@cache
def _parsed(path: Path, stamp: int) -> tuple[str, tuple[str, ...]]:
    """Return the digest of a file's code, comments and docstrings apart, and the package files that it imports."""
    tree = ast.parse(path.read_bytes())
    imports = set()
    for module in imported(tree):
        if module.startswith("touchstone."):
            candidate = Path(*module.split(".")[1:]).with_suffix(".py")
            if plugins.located(candidate.as_posix(), PACKAGE) is not None:
                imports.add(candidate.as_posix())
    return _digest(tree), tuple(sorted(imports))


def code_files(roots: Iterable[str]) -> dict[str, str]:
    """Return {file: digest of its code} of the roots and of all that they import within the package."""
    waiting, found = [ALWAYS, *roots], {}
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        path = plugins.located(name, PACKAGE) or PACKAGE / name
        found[name], imports = _parsed(path, path.stat().st_mtime_ns)
        waiting.extend(imports)
        if name in TEMPLATES:
            for template in sorted((PACKAGE / TEMPLATES[name]).iterdir()):
                if template.is_file():
                    found[f"{TEMPLATES[name]}/{template.name}"] = file_digest(template)
    return dict(sorted(found.items()))


def code_digest(files: dict[str, str]) -> str:
    """Return one digest of the code that `code_files` found."""
    return sha256(canonical(files).encode())


def computes(step: str) -> bool:
    """Return whether a step computes numbers, so that its bytes depend on the processor; `fetch` copies files."""
    return step != "fetch"


def roots(step: str, settings: object) -> list[str]:
    """Return the files that a job starts from: its step, every component that its settings name, the pinned code paths."""
    pins = [CPU_PATHS] if computes(step) else []
    return [f"steps/{step}.py", *sorted(f"{use}.py" for use in set(_uses(settings))), *pins]


def _uses(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("use"), str):
            yield value["use"]
        for item in value.values():
            yield from _uses(item)
    elif isinstance(value, list):
        for item in value:
            yield from _uses(item)


# --- files --------------------------------------------------------------------------------------------------------


def write_whole(path: Path, data: bytes, *, lasting: bool = True) -> None:
    """Write a file so that it is either whole under its name or not there: temporary name, sync, rename.

    What need not outlive a power cut (not `lasting`) is not synced. OSError names the file, also where a disk is full.
    """
    _write(path, [data], lasting)


def write_pieces(path: Path, pieces: Iterable[bytes]) -> str:
    """Write a file as `write_whole` does, but of pieces that are never in memory together; return their digest."""
    digest = hashlib.sha256()

    def seen() -> Iterator[bytes]:
        for piece in pieces:
            digest.update(piece)
            yield piece

    _write(path, seen(), lasting=True)
    return "sha256:" + digest.hexdigest()


def _write(path: Path, pieces: Iterable[bytes], lasting: bool) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, pieces, lasting)
    except OSError as error:
        told = f"{error.strerror}; nothing was written under that name"
        raise OSError(error.errno, told, str(path)) from error


def _replace(path: Path, pieces: Iterable[bytes], lasting: bool) -> None:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with temporary.open("xb") as stream:  # with the mode that the umask leaves, unlike a file of `tempfile`
            stream.writelines(pieces)
            stream.flush()
            if lasting:
                os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def read_sidecar(path: Path) -> dict[str, Any]:
    """Return the sidecar beside an artefact; ValueError names it where it is missing or not readable."""
    try:
        data = sidecar_path(path).read_bytes()
    except FileNotFoundError:
        raise ValueError(f"{sidecar_path(path)}: missing, so nothing vouches for {path}") from None
    return parse_sidecar(path, data)


def parse_sidecar(path: Path, data: bytes) -> dict[str, Any]:
    """Return the sidecar of the artefact at `path` from its bytes; ValueError names it where they are not readable."""
    try:
        content = json.loads(data)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"{sidecar_path(path)}: not readable as JSON: {error}") from None
    if not isinstance(content, dict) or "artefact" not in content:
        raise ValueError(f"{sidecar_path(path)}: not a sidecar")
    return content


def write_with_sidecar(path: Path, data: bytes, facts: dict[str, Any]) -> None:
    """Write an artefact and then its sidecar: the digest of its bytes and what it was made from."""
    write_whole(path, data)
    write_sidecar(path, sha256(data), facts)


def write_sidecar(path: Path, digest: str, facts: dict[str, Any]) -> None:
    """Write the sidecar of an artefact whose bytes have that digest."""
    write_whole(sidecar_path(path), (canonical({"artefact": digest, **facts}) + "\n").encode())


def lock_digest(root: Path) -> str:
    """Return the digest of the run-time lock."""
    return file_digest(root / "requirements.lock")
