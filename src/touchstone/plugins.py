"""Folders of the user's own components, which are looked up, digested and imported as the package's files are.

A plugin folder is laid out like the package: mine/detectors/NAME.py, mine/attacks/NAME.py. Helpers in mine/ itself are
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
_files: dict[Path, tuple[int, int]] = {}  # the files in them, with the time and size of the last look


def use(folders: Iterable[Path | str]) -> None:
    """Look for components in these folders too; folders of earlier calls are dropped.

    Raises:
        FileNotFoundError: a folder does not exist.
        ValueError: a file would hide a file or a package of touchstone.
    """
    wanted = [Path(folder).resolve() for folder in folders]
    packages = sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))
    for folder in wanted:
        if not folder.is_dir():
            raise FileNotFoundError(f"plugins: there is no folder {folder}")
        for name in touchstone.__all__:
            if (folder / f"{name}.py").is_file():
                reason = f"touchstone offers {name} itself; give your file another name"
                raise ValueError(f"plugins: {folder / name}.py: {reason}")
        for name in packages:
            if (folder / f"{name}.py").is_file():
                reason = f"touchstone has a package {name}; give your file another name"
                raise ValueError(f"plugins: {folder / name}.py: {reason}")
        # Look up our files one by one: the plugin folder may be the whole disk, so it is not walked through.
        for file in sorted(path.relative_to(PACKAGE) for path in PACKAGE.glob("**/*.py")):
            if file.name != "__init__.py" and (folder / file).is_file():
                reason = f"touchstone has a file {file} of its own; give yours another name"
                raise ValueError(f"plugins: {folder / file}: {reason}")
    if wanted != _folders:
        _forget_imported()
        _folders[:] = wanted
        touchstone.__path__[:] = [str(PACKAGE), *map(str, wanted)]
        for name in packages:
            path = importlib.import_module(f"touchstone.{name}").__path__
            path[:] = [str(PACKAGE / name), *(str(folder / name) for folder in wanted)]
        importlib.invalidate_caches()
    refresh()


def refresh() -> None:
    """Forget the modules of plugin folders if a file there was added, changed or deleted since the last look."""
    files = {}
    for path in (path for folder in _folders for pattern in ("*.py", "*/*.py") for path in folder.glob(pattern)):
        stat = path.stat()
        files[path] = (stat.st_mtime_ns, stat.st_size)
    if files != _files:
        _forget_imported()
        _files.clear()
        _files.update(files)
        importlib.invalidate_caches()


def _forget_imported() -> None:
    for name, module in list(sys.modules.items()):
        parents = Path(getattr(module, "__file__", None) or "/").parents
        if name.startswith("touchstone.") and PACKAGE not in parents and any(folder in parents for folder in _folders):
            del sys.modules[name]
            parent, _, leaf = name.rpartition(".")
            if getattr(sys.modules.get(parent), leaf, None) is module:
                delattr(sys.modules[parent], leaf)


def places(package: Path = PACKAGE) -> list[Path]:
    """Return the folder of the package and those of the plugins."""
    return [package, *_folders]


def located(name: str, package: Path = PACKAGE) -> Path | None:
    """Return the path of a file such as detectors/msp.py in the package or a plugin folder, None if it is in neither."""
    return next((place / name for place in places(package) if (place / name).is_file()), None)
