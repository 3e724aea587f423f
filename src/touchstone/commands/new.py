"""`touchstone new KIND NAME`: write a first version of a detector or an attack, with its test, or of a paper."""

from __future__ import annotations

import keyword
import re
from dataclasses import dataclass
from pathlib import Path

import click
import yaml

from touchstone import registry
from touchstone.commands._command_line import FOLDER, Choice, Command
from touchstone.commands._templates import rendered
from touchstone.settings.files import NAME
from touchstone.settings.papers import shipped

KINDS = ("detector", "attack", "paper")


@click.command("new", cls=Command)
@click.argument("kind", type=Choice(KINDS), metavar="KIND", help=", ".join(KINDS))
@click.argument("name", help="of the component or the paper, such as my_attack")
@click.option("--fitted", is_flag=True, help="a detector that is fitted on in-distribution data")
@click.option(
    "--folder",
    type=FOLDER,
    help="where to write it (default: plugins); a paper becomes FOLDER/NAME (default: here)",
)
def main(kind: str, name: str, fitted: bool, folder: str | None) -> int:
    """Write a first version of a component, with its test, or of a paper.

    It prints what to do next. Nothing is written if one of the files is there already.

    \b
    Examples:
      touchstone new attack nudge
      touchstone new detector spread --fitted
      touchstone new paper my_paper
    """
    new = _New(kind, name, fitted, folder)
    files = _paper_files(new) if kind == "paper" else _component_files(new)
    for path in files:
        if path.exists():
            raise FileExistsError(f"{path} is there already; choose another name, or delete it")
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(path)
    print(_next_steps(new, next(iter(files))))
    return 0


@dataclass(frozen=True)
class _New:
    """What is to be written."""

    kind: str
    name: str
    fitted: bool
    folder: str | None


def _next_steps(new: _New, path: Path) -> str:
    """Return what to do with new files, of which `path` is the first."""
    name, kind = new.name, f"{new.kind}s"
    if new.kind == "paper":
        paper = _written(path.parent)
        return f"Edit both, then: touchstone check {paper}\nIn a study: papers: {{{paper}: full}}"
    folder = path.parent.parent
    entry = f"{{use: {name}, fit: EXAMPLES}}" if new.fitted else f"{{use: {name}}}"
    test = f"python -m pytest {_test(folder, name)} && "
    study = f"plugins: [{folder}/]; under change, {kind}: {name}: {entry}; and in an evaluation {kind}: [{name}]"
    return f"Edit it, then: {test}touchstone check {path}\nIn a study: {study}"


def _written(folder: Path) -> str:
    """Return a paper's folder as a study names it: with a / in it."""
    return str(folder) if folder.is_absolute() else f"./{folder}"


def _paper_files(new: _New) -> dict[Path, str]:
    """Return the text of each file of a new paper, by its path."""
    name = new.name
    if not NAME.fullmatch(name):
        raise ValueError(f"new: {name}: a paper is named [a-z][a-z0-9_]*; --folder says where its folder goes")
    if name in shipped():
        raise ValueError(f"new: touchstone has a paper {name}; choose another name")
    if new.fitted:
        raise ValueError("new: --fitted is for detectors, not for papers")
    folder = Path(new.folder or "") / name
    return {
        folder / f"{part}.yaml": rendered(
            f"{part}.yaml",
            name=name,
            title=name.replace("_", " ").capitalize(),
            label=name.replace("_", ""),
        )
        for part in ("claims", "experiment")
    }


def _component_files(new: _New) -> dict[Path, str]:
    """Return the text of each file of a new component, by its path."""
    name, kind, folder = new.name, f"{new.kind}s", Path(new.folder or "plugins")
    if not NAME.fullmatch(name):
        raise ValueError(f"new: {name}: a name is made of a-z, 0-9 and _, a letter first")
    if yaml.safe_load(name) != name:
        raise ValueError(f"new: {name}: a study reads this word as true, false or null; choose another name")
    if name in registry.names(kind):
        raise ValueError(f"new: {kind}/{name}.py is touchstone's own; choose another name")
    if new.fitted and kind != "detectors":
        raise ValueError("new: --fitted is for a detector of your own")
    path = folder / kind / f"{name}.py"
    template = f"fitted_{new.kind}" if new.fitted else new.kind
    others = rendered(f"{template}.py", name="_")  # the names that the file has besides this one
    if keyword.iskeyword(name) or re.search(rf"import .*\b{name}\b|def {name}\(", others):
        raise ValueError(f"new: {name}: Python or the file itself uses this name; choose another")
    return {
        path: rendered(f"{template}.py", name=name),
        _test(folder, name): rendered(f"{template}_test.py", name=name),
    }


def _test(folder: Path, name: str) -> Path:
    return folder / "tests" / f"test_{name}.py"
