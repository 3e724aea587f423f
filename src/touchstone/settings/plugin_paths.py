"""Files that the code of a plug-in reaches by `..`: no digest of the code holds them, so their edits would rerun nothing."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

from touchstone import plugins
from touchstone.provenance.reach import OWN_FILE


def refuse_paths(definitions: Iterable[str]) -> None:
    """Refuse paths with `..` in the files that have definitions, such as "detectors.own.own", and are of plug-ins.

    Raises:
        ValueError: A path leads to a file or folder, and not to one beside a plug-in that counts as its code.
    """
    modules = dict.fromkeys(name.rpartition(".")[0].replace(".", "/") for name in definitions)
    for path in filter(None, (plugins.located(f"{module}.py") for module in modules)):
        folder = next((each for each in plugins.places()[1:] if path.is_relative_to(each)), None)
        if folder is None:
            continue
        source = path.read_bytes().decode()
        for text in _with_parents(source):
            for place in (start / text for start in (path.parent, folder, Path.cwd())):
                if place.exists() and not (OWN_FILE in source and place.resolve().is_relative_to(folder)):
                    raise ValueError(
                        f"{path}: {text} leads to {place.resolve()}, whose edits no digest of the code would show: put it"
                        f" into {folder}, and write its path without .."
                    )


def _with_parents(source: str) -> Iterator[str]:
    """Yield the strings of a file that are paths with `..`, but for those of a statement of their own, as a docstring."""
    tree = ast.parse(source)
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in alone:
            parts = node.value.split("/")
            if ".." in parts and len(parts) > 1 and "\0" not in node.value:
                yield node.value
