"""`touchstone new KIND NAME`: write a first version of a detector or an attack, with its test, or of a paper."""

from __future__ import annotations

import argparse
import keyword
import re
from pathlib import Path

import yaml

from touchstone import registry
from touchstone.commands._templates import rendered
from touchstone.pipeline.settings.files import NAME
from touchstone.pipeline.settings.papers import shipped

KINDS = ("detector", "attack", "paper")


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `new`."""
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("--fitted", action="store_true", help="a detector that is fitted on in-distribution data")
    parser.add_argument(
        "--folder", help="where to write it (default: plugins); a paper becomes FOLDER/NAME (default: here)"
    )


def main(options: argparse.Namespace) -> int:
    """Write the files and print what to do next.

    Nothing is written if one of the files exists already.
    """
    files = _paper_files(options) if options.kind == "paper" else _component_files(options)
    for path in files:
        if path.exists():
            raise FileExistsError(f"{path} is there already; choose another name, or delete it")
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(path)
    print(_next_steps(options, next(iter(files))))
    return 0


def _next_steps(options: argparse.Namespace, path: Path) -> str:
    """Return what to do with new files, of which `path` is the first."""
    name, kind = options.name, f"{options.kind}s"
    if options.kind == "paper":
        paper = _written(path.parent)
        return f"Edit both, then: touchstone check {paper}\nIn a study: papers: {{{paper}: full}}"
    folder = path.parent.parent
    entry = f"{{use: {name}, fit: EXAMPLES}}" if options.fitted else f"{{use: {name}}}"
    test = f"python -m pytest {_test(folder, name)} && "
    study = f"plugins: [{folder}/]; under change, {kind}: {name}: {entry}; and in an evaluation {kind}: [{name}]"
    return f"Edit it, then: {test}touchstone contract {path}\nIn a study: {study}"


def _written(folder: Path) -> str:
    """Return a paper's folder as a study names it: with a / in it."""
    return str(folder) if folder.is_absolute() else f"./{folder}"


def _paper_files(options: argparse.Namespace) -> dict[Path, str]:
    """Return the text of each file of a new paper, by its path."""
    name = options.name
    if not NAME.fullmatch(name):
        raise ValueError(f"new: {name}: a paper is named [a-z][a-z0-9_]*; --folder says where its folder goes")
    if name in shipped():
        raise ValueError(f"new: touchstone has a paper {name}; choose another name")
    if options.fitted:
        raise ValueError("new: --fitted is for detectors, not for papers")
    folder = Path(options.folder or "") / name
    return {
        folder / f"{part}.yaml": rendered(
            f"{part}.yaml",
            name=name,
            title=name.replace("_", " ").capitalize(),
            label=name.replace("_", ""),
        )
        for part in ("claims", "experiment")
    }


def _component_files(options: argparse.Namespace) -> dict[Path, str]:
    """Return the text of each file of a new component, by its path."""
    name, kind, folder = options.name, f"{options.kind}s", Path(options.folder or "plugins")
    if not NAME.fullmatch(name):
        raise ValueError(f"new: {name}: a name is made of a-z, 0-9 and _, a letter first")
    if yaml.safe_load(name) != name:
        raise ValueError(f"new: {name}: a study reads this word as true, false or null; choose another name")
    if name in registry.names(kind):
        raise ValueError(f"new: {kind}/{name}.py is touchstone's own; choose another name")
    if options.fitted and kind != "detectors":
        raise ValueError("new: --fitted is for a detector of your own")
    path = folder / kind / f"{name}.py"
    template = f"fitted_{options.kind}" if options.fitted else options.kind
    others = rendered(f"{template}.py", name="_")  # the names that the file has besides this one
    if keyword.iskeyword(name) or re.search(rf"import .*\b{name}\b|def {name}\(", others):
        raise ValueError(f"new: {name}: Python or the file itself uses this name; choose another")
    return {
        path: rendered(f"{template}.py", name=name),
        _test(folder, name): rendered(f"{template}_test.py", name=name),
    }


def _test(folder: Path, name: str) -> Path:
    return folder / "tests" / f"test_{name}.py"
