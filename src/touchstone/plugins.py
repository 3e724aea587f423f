"""Folders of the user's own components: found, digested and imported just as the package's own files are.

A plugin folder looks like the package: mine/detectors/NAME.py, mine/attacks/NAME.py, and helpers in mine/ itself, which are
imported as touchstone.HELPER.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable
from pathlib import Path

import touchstone

PACKAGE = Path(__file__).parent
_folders: list[Path] = []


def use(folders: Iterable[Path | str]) -> None:
    """Look for components in these folders too, and no longer in those given before.

    FileNotFoundError names a folder that is not there, ValueError a file that would hide one of the package.
    """
    wanted = [Path(folder).resolve() for folder in folders]
    for folder in wanted:
        if not folder.is_dir():
            raise FileNotFoundError(f"plugins: there is no folder {folder}")
        for path in sorted(folder.glob("**/*.py")):
            if (PACKAGE / path.relative_to(folder)).is_file():
                name = path.relative_to(folder)
                raise ValueError(f"plugins: {path}: touchstone has a file {name} of its own; give yours another name")
    if wanted == _folders:
        return
    for imported, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if imported.startswith("touchstone.") and file and any(folder in Path(file).parents for folder in _folders):
            del sys.modules[imported]
    _folders[:] = wanted
    # Folders of components are namespace packages, so what lies beside them under the same name belongs to them.
    touchstone.__path__[:] = [str(PACKAGE), *map(str, wanted)]
    importlib.invalidate_caches()


def places(package: Path = PACKAGE) -> list[Path]:
    """Return the package's folder and those of the plugins."""
    return [package, *_folders]


def located(name: str, package: Path = PACKAGE) -> Path | None:
    """Return the file of a name such as detectors/msp.py, in the package or in a plugin folder; None where there is none."""
    return next((place / name for place in places(package) if (place / name).is_file()), None)
