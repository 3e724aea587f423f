"""Components found by file name, and their settings read from their signatures without importing them."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

from annotated_types import Interval

from touchstone import contracts, plugins

PACKAGE = plugins.PACKAGE
FOLDERS = (
    "sources", "data", "models", "training", "pretrained", "attacks", "adaptive", "margins", "detectors", "evaluations",
    "figures",
)  # fmt: skip

# What may stand before the star. Everything else a component takes is a setting.
DATA_NAMES = frozenset(
    (
        *("model", "classifier", "static_networks", "defence", "pipeline", "images", "labels", "targets"),
        *("logits", "features", "gradient_norms", "companions"),
        *("state", "examples", "train", "validation", "outliers", "folder", "generator", "outlier_generator"),
        *("in_distribution", "input_shape", "classes", "seed", "outputs", "scores", "margins", "detectors"),
        *("checkpoints", "metrics"),
    )
)


class RegistryError(ValueError):
    """A component file that does not keep the rules of components."""


@dataclass(frozen=True)
class Type:
    """What values a setting takes: a base type with its bounds, words to choose from, or a nested component."""

    base: str  # int, float, bool, str, word, digest, list, nested
    bounds: Interval | None = None
    words: tuple[str, ...] = ()
    item: Type | None = None
    folder: str = ""
    optional: bool = False

    def __str__(self) -> str:
        text = {
            "word": " or ".join(self.words) if len(self.words) < 3 else "one of " + ", ".join(self.words),
            "digest": "sha256: and 64 hexadecimal digits",
            "list": f"list of {self.item}",
            "nested": f"block with its own use: from {self.folder}/",
        }.get(self.base, self.base)
        if self.bounds:
            text += f" {contracts.range_text(self.bounds)}"
        return text + (" or null" if self.optional else "")


@dataclass(frozen=True)
class Setting:
    """One setting: its type, and its default unless it must be given."""

    type: Type
    default: Any = None
    required: bool = False


@dataclass(frozen=True)
class Signature:
    """What a function takes: data before the star, settings after it."""

    data: tuple[str, ...]
    settings: dict[str, Setting]
    summary: str
    meaning: str = ""  # the whole docstring


@dataclass(frozen=True)
class Component:
    """One file of a component folder.

    Beside a fitted detector's score stands its `fit`, beside an objective that trains further networks, such as a
    discriminator, the function `companions` that builds them.
    """

    folder: str
    name: str
    path: Path
    call: Signature
    fit: Signature | None = field(default=None)
    companions: Signature | None = field(default=None)

    @property
    def beside(self) -> Signature:
        """What stands beside the component's function, empty where nothing does."""
        return self.fit or self.companions or Signature((), {}, "")

    @property
    def settings(self) -> dict[str, Setting]:
        """Every setting of the component, those of what stands beside it included."""
        return {**self.beside.settings, **self.call.settings}

    @property
    def data(self) -> tuple[str, ...]:
        """Every data name of the component, those of what stands beside it included."""
        return (*self.call.data, *self.beside.data)


def _literal(node: ast.expr, where: str) -> Any:
    try:
        return fold(ast.unparse(node))
    except ValueError:
        raise RegistryError(f"{where}: the default {ast.unparse(node)} is not a literal") from None


def fold(text: str) -> Any:
    """Return the value of a literal, the four operators folded over numbers: "8/255". ValueError for anything else."""
    try:
        node = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, MemoryError, RecursionError) as error:
        raise ValueError(f"not a literal: {text}") from error
    return _fold(node)


def _fold(node: ast.expr) -> Any:
    match node:
        case ast.Constant():
            return node.value
        case ast.UnaryOp(op=ast.USub()) if isinstance(value := _fold(node.operand), int | float):
            return -value
        case ast.BinOp(op=ast.Add() | ast.Sub() | ast.Mult() | ast.Div()):
            left, right = _fold(node.left), _fold(node.right)
            if not all(isinstance(side, int | float) and not isinstance(side, bool) for side in (left, right)):
                raise ValueError("operators fold over numbers only")
            if isinstance(node.op, ast.Div) and right == 0:
                raise ValueError("division by zero")
            return eval(compile(ast.Expression(node), "", "eval"), {"__builtins__": {}})
        case ast.List() | ast.Tuple():
            return [_fold(item) for item in node.elts]
        case _:
            raise ValueError(f"not a literal: {ast.unparse(node)}")


def _type(node: ast.expr, where: str) -> Type:
    match node:
        case ast.Name(id="int" | "float" | "bool" | "str" as base):
            return Type(base)
        case ast.Name(id=name) if name in contracts.NESTED:
            return Type("nested", folder=contracts.NESTED[name])
        case ast.Name(id=name) if get_origin(alias := getattr(contracts, name, None)) is Annotated:
            base, bound = get_args(alias)
            return Type(base.__name__, contracts.interval(bound))
        case ast.Subscript(value=ast.Name(id="Literal")):
            words = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
            return Type("word", words=tuple(str(_fold(word)) for word in words))
        case ast.Subscript(value=ast.Name(id="list")):
            return Type("list", item=_type(node.slice, where))
        case ast.BinOp(op=ast.BitOr(), right=ast.Constant(value=None)):
            inner = _type(node.left, where)
            return Type(inner.base, inner.bounds, inner.words, inner.item, inner.folder, optional=True)
    raise RegistryError(f"{where}: a setting cannot have the type {ast.unparse(node)}")


def _signature(function: ast.FunctionDef | ast.ClassDef, where: str, strict: bool) -> Signature:
    meaning = ast.get_docstring(function) or ""
    summary = meaning.split("\n\n")[0].replace("\n", " ").strip()
    if isinstance(function, ast.ClassDef):
        methods = (item for item in function.body if isinstance(item, ast.FunctionDef))
        found = next((method for method in methods if method.name == "__init__"), None)
        if found is None:
            return Signature((), {}, summary, meaning)
        function = found
    arguments = function.args
    data = tuple(argument.arg for argument in arguments.posonlyargs + arguments.args if argument.arg != "self")
    settings = {}
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        place = f"{where}: {argument.arg}"
        if argument.annotation is None:
            raise RegistryError(f"{place}: a setting needs a type")
        try:
            value = None if default is None else _literal(default, place)
            settings[argument.arg] = Setting(_type(argument.annotation, place), value, required=default is None)
        except RegistryError:
            if strict:
                raise
    return Signature(data, settings, summary, meaning)


def read_signature(path: Path, name: str, strict: bool = True) -> Signature | None:
    """Return the signature of the function or class `name` at the top level of the file, None where there is none.

    Of a step (not `strict`), parameters that no user could set, by their type, are passed over.
    """
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name:
            return _signature(node, f"{path.parent.name}/{path.name}: {name}", strict)
    return None


def names(folder: str) -> tuple[str, ...]:
    """Return the names of all components of a folder, sorted."""
    own, *others = plugins.places(PACKAGE)
    added = [name for place in others for name in _names_in(place / folder)]
    return tuple(sorted([*_own_names(own / folder), *added])) if added else _own_names(own / folder)


def _names_in(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.glob("*.py") if not path.stem.startswith("_"))


@cache  # the package's own files stay as they are; those of plugins come and go
def _own_names(folder: Path) -> tuple[str, ...]:
    return tuple(_names_in(folder))


def component(folder: str, name: str) -> Component:
    """Return one component's signature; KeyError where there is no such file, RegistryError where it breaks the rules."""
    path = plugins.located(f"{folder}/{name}.py", PACKAGE)
    if path is None:
        raise KeyError(f"{folder}/{name}")
    return _component(folder, name, path, path.stat().st_mtime_ns)


@cache
def _component(folder: str, name: str, path: Path, time: int) -> Component:
    """Return the signature in a file as it was at a time."""
    call = read_signature(path, name)
    if call is None:
        raise RegistryError(f"{folder}/{name}.py holds no function or class called {name}")
    fit = read_signature(path, "fit") if folder == "detectors" else None
    companions = read_signature(path, "companions") if folder == "training" else None
    found = Component(folder, name, path, call, fit, companions)
    for data in found.data:
        if data.removeprefix("fit_").removeprefix("anomalous_") not in DATA_NAMES:
            raise RegistryError(
                f"{folder}/{name}.py: {data} stands before the star, where only data may: {', '.join(sorted(DATA_NAMES))}"
            )
    return found


def used(use: str) -> Component:
    """Return the signature of a component named "folder/name", as settings hold it; errors as for `component`."""
    folder, name = use.split("/")
    return component(folder, name)


def load(use: str) -> Callable[..., Any]:
    """Import and return the function or class of a component named "folder/name"."""
    return _load(use, use.partition("/")[2])


def load_fit(use: str) -> Callable[..., Any]:
    """Import and return the `fit` beside a detector named "detectors/name"."""
    return _load(use, "fit")


def load_companions(use: str) -> Callable[..., Any]:
    """Import and return the `companions` beside an objective named "training/name"."""
    return _load(use, "companions")


def _load(use: str, name: str) -> Callable[..., Any]:
    plugins.refresh()
    module = importlib.import_module(f"touchstone.{use.replace('/', '.')}")
    function: Callable[..., Any] = getattr(module, name)
    return function
