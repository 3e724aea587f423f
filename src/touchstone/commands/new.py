"""`touchstone new KIND NAME`: write a first version of a detector or an attack, with its test, into a plugin folder."""

from __future__ import annotations

import argparse
import keyword
import re
from pathlib import Path

from touchstone import registry
from touchstone.commands._templates import rendered

KINDS = ("detector", "attack")


def add(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `new`."""
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("file", metavar="NAME")
    parser.add_argument(
        "--from", dest="origin", metavar="CLASS", help="wrap torchattacks.PGD, pytorch_ood.MaxLogit, ..."
    )
    parser.add_argument("--fitted", action="store_true", help="a detector that is fitted on in-distribution data")
    parser.add_argument("--folder", default="plugins", help="the plugin folder (default: plugins)")


def main(options: argparse.Namespace) -> int:
    """Write the files and print what to do next.

    Nothing is written if one of the files exists already.
    """
    name, kind, folder = options.file, f"{options.kind}s", Path(options.folder)
    files = _files(options, name, kind, folder)
    for path in files:
        if path.exists():
            raise FileExistsError(f"{path} is there already")
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        print(path)
    entry = f"{{use: {name}, fit: EXAMPLES}}" if options.fitted else f"{{use: {name}}}"
    test = "" if options.origin else f"python -m pytest {_test(folder, name)} && "
    print(f"Edit it, then: {test}touchstone contract {folder / kind / name}.py")
    print(f"In a study: plugins: [{folder}/]; under {kind}: {name}: {entry}; and in an evaluation {kind}: [{name}]")
    return 0


def _files(options: argparse.Namespace, name: str, kind: str, folder: Path) -> dict[Path, str]:
    """Return the text of each file to write, by its path."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise ValueError(f"new: {name}: a name is made of a-z, 0-9 and _, a letter first")
    if name in registry.names(kind):
        raise ValueError(f"new: {kind}/{name}.py is touchstone's own; choose another name")
    if options.fitted and (kind != "detectors" or options.origin is not None):
        raise ValueError("new: --fitted is for a detector of your own")
    path = folder / kind / f"{name}.py"
    if options.origin is not None:
        from touchstone.commands import _library_adapters  # it imports torch

        return {path: _library_adapters.adapter(kind, name, options.origin)}
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
