"""Classes of other libraries that a component wraps by name: which there are, and what they take.

The library's files are read without importing them, so a study's names are checked before any job starts, and without torch.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from touchstone.messages import listed, nearest

BOTH_NORMS = ("linf", "l2")


@dataclass(frozen=True)
class WrappedClass:
    """A class that a component can wrap.

    Attributes:
        settings: The settings that a study may give it.
        passed: Further arguments that the component gives it, if the class takes them.
        norms: Of an attack: the balls that it keeps to.
    """

    settings: tuple[str, ...]
    passed: tuple[str, ...] = ()
    norms: tuple[str, ...] = ()


def _attack(node: ast.ClassDef, names: list[str], required: list[str]) -> WrappedClass | None:
    """Return an attack; None if it has no eps, so that its budget cannot be declared, or needs more than a model."""
    if "eps" not in names or required != ["model"]:
        return None
    passed = tuple(name for name in ("norm", "seed", "verbose", "n_classes") if name in names)
    settings = tuple(name for name in names if name not in ("model", "eps", *passed))
    norms = BOTH_NORMS if "norm" in names else ("l2",) if node.name.endswith("L2") else ("linf",)
    return WrappedClass(settings, passed, norms)


def _detector(node: ast.ClassDef, names: list[str], required: list[str]) -> WrappedClass | None:
    """Return a detector; None if it does not score logits without having been fitted."""
    methods = {each.name for each in node.body if isinstance(each, ast.FunctionDef)}
    bases = {ast.unparse(base) for base in node.bases}
    if "LogitsDetector" not in bases or "fit_logits" in methods or required != ["model"]:
        return None
    return WrappedClass(tuple(name for name in names if name != "model"))


@dataclass(frozen=True)
class Library:
    """A library whose classes a component wraps.

    Attributes:
        module: The module that holds the classes.
        package: Its name in pip.
        version: The version that it has to be. Another one might compute something else, and no digest would show it.
        read: Returns what a class takes from its definition, its arguments and those without a default, or None.
        needs: What a class has to do, for messages.
    """

    module: str
    package: str
    version: str
    read: Callable[[ast.ClassDef, list[str], list[str]], WrappedClass | None]
    needs: str

    @property
    def install(self) -> str:
        """The command that installs it. Its dependencies are here; one of them is pinned to a version from 2021."""
        return f".venv/bin/pip install --no-deps {self.package}=={self.version}"

    def check_installed(self) -> None:
        """Check that the library is installed, in its version.

        Raises:
            ValueError: It is not; the message has the command that installs it.
        """
        try:
            installed = version(self.package)
        except PackageNotFoundError:
            raise ValueError(f"{self.package} is not installed: {self.install}") from None
        if installed != self.version:
            raise ValueError(f"needs {self.package} {self.version}, and {installed} is installed: {self.install}")


LIBRARIES = {
    "attacks/torchattacks": Library(
        "torchattacks", "torchattacks", "3.5.1", _attack, "takes an eps, and no data but a network"
    ),
    "detectors/pytorch_ood": Library(
        "pytorch_ood.detector", "pytorch-ood", "0.4.0", _detector, "scores logits and needs no fit"
    ),
}


def problems(component: str, block: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield what is wrong with the settings of a component that wraps a class by name.

    Nothing is wrong if the component wraps none, or if the library is not installed here: then the job says so.

    Args:
        component: Such as "attacks/torchattacks".
        block: Its settings: name, settings, and for attacks norm.

    Yields:
        The keys that lead to a setting, and what is wrong with it.
    """
    library = LIBRARIES.get(component)
    classes = wrapped_classes(component) if library else {}
    if library is None or not classes:
        return
    name = block["name"]
    if name not in classes:
        reason = f"{library.package} has no class {name} that {library.needs}. There are {', '.join(classes)}."
        yield ("name",), reason + nearest(str(name), classes)
        return
    found = classes[name]
    settings = block.get("settings")
    for setting in settings if isinstance(settings, dict) else ():  # a value of another type is reported elsewhere
        if setting not in found.settings:
            allowed = f"Settings are {', '.join(found.settings)}." if found.settings else "It has none."
            yield ("settings", setting), f"not a setting of {name}. {allowed}{nearest(setting, found.settings)}"
    if found.norms and block["norm"] not in found.norms:
        yield ("norm",), f"{name} keeps to a ball in {listed(found.norms)}, got {block['norm']}"


def wrapped(component: str, block: Mapping[str, Any]) -> tuple[Any, WrappedClass]:
    """Import the class that a component wraps, and return it with what it takes.

    Args:
        component: Such as "attacks/torchattacks".
        block: Its settings, as for `problems`.

    Raises:
        ValueError: The library is not installed, or in another version, or something is wrong with the settings.
    """
    library = LIBRARIES[component]
    library.check_installed()
    for place, problem in problems(component, block):
        raise ValueError(f"{component}: {'.'.join(place)}: {problem}")
    name = block["name"]
    # Imported by their names, so that the digest of a job's code can follow them.
    module: Any
    if component == "attacks/torchattacks":
        import torchattacks

        module = torchattacks
    else:
        import pytorch_ood.detector

        module = pytorch_ood.detector
    return getattr(module, name), wrapped_classes(component)[name]


@cache
def wrapped_classes(component: str) -> dict[str, WrappedClass]:
    """Return the classes that a component can wrap, by name, sorted; none if the library is not installed."""
    library = LIBRARIES[component]
    top, *below = library.module.split(".")
    spec = find_spec(top)  # a module of a package would import the package
    if spec is None or spec.origin is None:
        return {}
    init = Path(spec.origin).parent.joinpath(*below, "__init__.py")
    found = {}
    for node in ast.parse(init.read_bytes()).body:
        if isinstance(node, ast.ImportFrom) and node.level == 1 and node.module:
            file = init.parent.joinpath(*node.module.split(".")).with_suffix(".py")
            names = {alias.name for alias in node.names}
            for cls in ast.parse(file.read_bytes()).body if file.is_file() else ():
                if (
                    isinstance(cls, ast.ClassDef)
                    and cls.name in names
                    and (read := library.read(cls, *_arguments(cls)))
                ):
                    found[cls.name] = read
    return dict(sorted(found.items()))


def _arguments(cls: ast.ClassDef) -> tuple[list[str], list[str]]:
    """Return the names of a constructor's arguments, and of those that have no default."""
    for node in cls.body:
        if isinstance(node, ast.FunctionDef) and node.name == "__init__":
            names = [argument.arg for argument in node.args.args[1:]]
            return names, names[: len(names) - len(node.args.defaults)]
    return [], []
