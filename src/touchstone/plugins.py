"""Folders of user-written components, which are located, hashed and imported like the package's files.

A plugin folder has the same layout as the package: mine/detectors/NAME.py, mine/attacks/NAME.py. Helper modules in mine/
itself are imported as touchstone.HELPER.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import touchstone

PACKAGE = Path(__file__).parent
NESTED = {  # component folders that lie within another package
    **{"sources": "data/sources", "pretrained": "models/pretrained", "figures": "report/figures"},
    **{"adaptive": "attacks/adaptive", "margins": "attacks/margins"},
}
VARIABLE = "TOUCHSTONE_PLUGINS"  # the plug-in folders of the study whose jobs run
_folders: list[Path] = []
_files: dict[Path, tuple[int, int]] = {}  # the files in them, with their last seen time and size


def use(folders: Iterable[Path | str]) -> None:
    """Also search these folders for components; forget the folders of earlier calls.

    Raises:
        FileNotFoundError: A folder does not exist.
        ValueError: A file would hide a module or a package of touchstone, or a file of another of these folders.
    """
    resolved = [Path(folder).resolve() for folder in folders]
    packages = sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))
    for folder in resolved:
        if not folder.is_dir():
            raise FileNotFoundError(f"plugins: {folder}: folder not found")
        for name in touchstone.__all__:
            if (folder / f"{name}.py").is_file():
                reason = f"the name {name} belongs to touchstone's API; rename your file"
                raise ValueError(f"plugins: {folder / name}.py: {reason}")
        for name in (*packages, *NESTED):
            if (folder / f"{name}.py").is_file():
                reason = f"touchstone has a package {name}; rename your file"
                raise ValueError(f"plugins: {folder / name}.py: {reason}")
        # Check our files one by one: the plugin folder may be the whole disk, so it is not walked.
        for file in sorted(path.relative_to(PACKAGE) for path in PACKAGE.glob("**/*.py")):
            own = in_plugins(file.as_posix())
            if file.name != "__init__.py" and (folder / own).is_file():
                reason = f"touchstone has a file {own}, too; rename yours"
                raise ValueError(f"plugins: {folder / own}: {reason}")
    _refuse_equal_names(resolved)
    if resolved != _folders:
        _forget_imported()
        _folders[:] = resolved
        touchstone.__path__[:] = [str(PACKAGE), *map(str, resolved)]
        for name in (*packages, *NESTED.values()):
            path = importlib.import_module(f"touchstone.{name.replace('/', '.')}").__path__
            path[:] = [str(PACKAGE / name), *(str(folder / in_plugins(name)) for folder in resolved)]
        importlib.invalidate_caches()
    refresh()


def refresh() -> None:
    """Forget imported plugin modules if a plugin file was added, changed or deleted."""
    files = {}
    for path in (path for folder in _folders for path in python_files(folder)):
        stat = path.stat()
        files[path] = (stat.st_mtime_ns, stat.st_size)
    if files != _files:
        _forget_imported()
        _files.clear()
        _files.update(files)
        importlib.invalidate_caches()


def _refuse_equal_names(folders: Iterable[Path]) -> None:
    """Raise ValueError if two folders have a file of the same name, because only the first would be imported."""
    first: dict[Path, Path] = {}
    for folder in dict.fromkeys(folders):
        for path in python_files(folder):
            name = path.relative_to(folder)
            if name.name == "__init__.py" or name.parts[0] == "tests":
                continue
            if name in first:
                raise ValueError(f"plugins: {path}: {first[name]} has the same name; rename one of them")
            first[name] = path


def python_files(folder: Path) -> Iterator[Path]:
    """Yield the Python files of a plugin folder and of the folders in it; those further down cannot be imported."""
    for pattern in ("*.py", "*/*.py"):
        yield from folder.glob(pattern)


def _forget_imported() -> None:
    own = [(name, module) for name, module in sys.modules.items() if name.startswith("touchstone.")]
    for name, module in own:
        parents = Path(getattr(module, "__file__", None) or "/").parents
        if PACKAGE not in parents and any(folder in parents for folder in _folders):
            del sys.modules[name]
            parent, _, leaf = name.rpartition(".")
            if getattr(sys.modules.get(parent), leaf, None) is module:
                delattr(sys.modules[parent], leaf)


def places(package: Path = PACKAGE) -> list[Path]:
    """Return the package's folder and the plugin folders."""
    return [package, *_folders]


def located(name: str, package: Path = PACKAGE) -> Path | None:
    """Return the path of a file such as detectors/msp.py or data/sources/mnist.py; None if no folder has it.

    The package is searched first, then the plugin folders, where it is sources/mnist.py.
    """
    own = in_plugins(name)
    return _own_file(package, name) or next((path for place in _folders if (path := place / own).is_file()), None)


def place_of(folder: str) -> str:
    """Return where the package has a component folder: data/sources for sources."""
    return NESTED.get(folder, folder)


def module_of(use: str) -> str:
    """Return the module of a component by "folder/name": touchstone.data.sources.mnist for sources/mnist."""
    folder, _, name = use.partition("/")
    return f"touchstone.{place_of(folder)}/{name}".replace("/", ".")


def in_plugins(place: str) -> str:
    """Return where a plugin folder has what the package has at a place: sources/mnist.py for data/sources/mnist.py."""
    for folder, nested in NESTED.items():
        if place == nested or place.startswith(f"{nested}/"):
            return folder + place.removeprefix(nested)
    return place


@cache  # files of the package do not change while it runs; those of plugins do
def _own_file(package: Path, name: str) -> Path | None:
    path = package / name
    return path if path.is_file() else None
