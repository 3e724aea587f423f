"""Files that a plug-in names by a path which no digest of the code follows, so their edits would rerun nothing."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

from touchstone import plugins
from touchstone.provenance.reach import OWN_FILE
from touchstone.settings.files import typed_path

LONGEST = 200  # letters of a path; longer strings are sentences


def refuse_paths(definitions: Iterable[str]) -> None:
    """Refuse paths with `..`, from the project, absolute or of the home folder, in files of plug-ins.

    Args:
        definitions: The names of definitions, such as "detectors.own.own"; their files are looked at.

    Raises:
        ValueError: A path leads to a file or folder, and not to one beside a plug-in that counts as its code.
    """
    modules = dict.fromkeys(name.rpartition(".")[0].replace(".", "/") for name in definitions)
    for path in filter(None, (plugins.located(f"{module}.py") for module in modules)):
        folder = next((each for each in plugins.places()[1:] if path.is_relative_to(each)), None)
        if folder is None:
            continue
        source = path.read_bytes().decode()
        for text in _paths(source):
            for place in _places(text, path.parent, folder):
                if not (OWN_FILE in source and place.is_relative_to(folder)):
                    raise ValueError(
                        f"{path}: {text} leads to {place}, whose edits no digest of the code would show: put it into"
                        f" {folder}, and name it from the module: Path({OWN_FILE}).parent / NAME"
                    )


def _places(text: str, *starts: Path) -> Iterator[Path]:
    """Yield the files and folders that exist at a path from these folders, the project, the root or the home folder."""
    if ".." in text.split("/"):
        places = [start / text for start in (*starts, Path.cwd())]
    elif text.startswith(("/", "~")):
        places = [typed_path(text)]
    else:  # one beside the module counts as its code
        places = [] if (starts[0] / text).exists() else [Path.cwd() / text]
    yield from (place.resolve() for place in places if place.exists())


def _paths(source: str) -> Iterator[str]:
    """Yield the strings that name a folder or a file, but for those of a statement of their own, as a docstring."""
    tree = ast.parse(source)
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in alone:
            text = node.value
            if len(text) <= LONGEST and text.isprintable() and (len(Path(text).parts) > 1 or Path(text).suffix):
                yield text
