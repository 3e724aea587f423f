"""The settings that a function's signature declares: their types, bounds and defaults, read without importing the file.

Parameters before the star are data, which the pipeline passes; keyword-only parameters are settings, which a study may
change.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

from annotated_types import Ge, Gt, Interval, Le, Lt

from touchstone import contracts, parsed_files
from touchstone.digests import DIGEST

# What a bound of annotated-types requires of a number, and how messages say it.
COMPARISONS = {
    "gt": (operator.gt, "above"),
    "ge": (operator.ge, "at least"),
    "lt": (operator.lt, "below"),
    "le": (operator.le, "at most"),
}
# A setting with one of these types is a nested block: those of contracts.py, which is in the code digest of every job, and
# attacks on a classifier behind a detector (attacks/adversary/planted.py).
NESTED = contracts.NESTED | {"AdaptiveAttack": "adaptive"}
OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {  # in numbers such as 8/255
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


class ComponentError(ValueError):
    """A component file breaks the rules of components."""


@dataclass(frozen=True)
class Type:
    """The values that a setting may have.

    Attributes:
        base: int, float, bool, str, word, digest, list, nested, or mapping: settings of another library.
        bounds: of a number.
        words: the choices of a word.
        item: the type of a list's items.
        folder: of the nested component, which a block with its own `use:` names.
        optional: whether null is allowed.
    """

    base: str
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
            "mapping": "block of words, numbers, true and false by name",
        }.get(self.base, self.base)
        if self.bounds:
            text += f" {range_text(self.bounds)}"
        return text + (" or null" if self.optional else "")


@dataclass(frozen=True)
class Setting:
    """One setting: its type, and its default unless the setting is required."""

    type: Type
    default: Any = None
    required: bool = False


@dataclass(frozen=True)
class Signature:
    """The parameters of a function: data before the star, settings after it.

    Attributes:
        data: names from DATA_NAMES, in order.
        settings: by name.
        summary: the first paragraph of the docstring, on one line.
        meaning: the whole docstring.
    """

    data: tuple[str, ...]
    settings: dict[str, Setting]
    summary: str
    meaning: str = ""


def interval(bound: Gt | Ge | Lt | Le | Interval) -> Interval:
    """Return a bound as an interval, the one form in which the registry keeps bounds."""
    return Interval(**asdict(bound))


def within(value: float, bounds: Interval) -> bool:
    """Return whether a number satisfies its bounds; NaN satisfies none."""
    return all(COMPARISONS[name][0](value, limit) for name, limit in _limits(bounds).items())


def range_text(bounds: Interval) -> str:
    """Return bounds in words: "from 0 to 1", "above 0, at most 1", "at least 1"."""
    limits = _limits(bounds)
    if limits.keys() == {"ge", "le"}:
        return f"from {limits['ge']:g} to {limits['le']:g}"
    return ", ".join(f"{COMPARISONS[name][1]} {limit:g}" for name, limit in limits.items())


def _limits(bounds: Interval) -> dict[str, float]:
    return {name: limit for name in COMPARISONS if (limit := getattr(bounds, name)) is not None}


def _literal(node: ast.expr, where: str) -> Any:
    try:
        return fold(ast.unparse(node))
    except ValueError:
        raise ComponentError(f"{where}: the default {ast.unparse(node)} is not a literal") from None


def fold(text: str) -> Any:
    """Return the value of a literal or of arithmetic over numbers, such as "8/255".

    Raises:
        ValueError: the text is anything else; no name is looked up and nothing is called.
    """
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
        case ast.BinOp() if type(node.op) in OPERATORS:
            left, right = _fold(node.left), _fold(node.right)
            if not all(isinstance(side, int | float) and not isinstance(side, bool) for side in (left, right)):
                raise ValueError("operators fold over numbers only")
            if isinstance(node.op, ast.Div) and right == 0:
                raise ValueError("division by zero")
            return OPERATORS[type(node.op)](left, right)
        case ast.List() | ast.Tuple():
            return [_fold(item) for item in node.elts]
        case _:
            raise ValueError(f"not a literal: {ast.unparse(node)}")


def _type(node: ast.expr, where: str) -> Type:
    match node:
        case ast.Name(id="int" | "float" | "bool" | "str" | "Digest" as base):
            return Type(base.lower())
        case ast.Name(id=name) if name in NESTED:
            return Type("nested", folder=NESTED[name])
        case ast.Name(id=name) if get_origin(alias := getattr(contracts, name, None)) is Annotated:
            base, bound = get_args(alias)
            return Type(base.__name__, interval(bound))
        case ast.Subscript(value=ast.Name(id="Literal")):
            items = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
            words = tuple(
                item.value for item in items if isinstance(item, ast.Constant) and isinstance(item.value, str)
            )
            if len(words) < len(items):
                raise ComponentError(f"{where}: a Literal may hold words in quotes only; use int or float for numbers")
            return Type("word", words=words)
        case ast.Subscript(value=ast.Name(id="list")):
            return Type("list", item=_type(node.slice, where))
        case ast.BinOp(left=ast.Subscript(value=ast.Name(id="dict")), op=ast.BitOr(), right=ast.Constant(value=None)):
            return Type("mapping", optional=True)
        case ast.BinOp(op=ast.BitOr(), right=ast.Constant(value=None)):
            inner = _type(node.left, where)
            return Type(inner.base, inner.bounds, inner.words, inner.item, inner.folder, optional=True)
    raise ComponentError(f"{where}: a setting cannot have the type {ast.unparse(node)}")


def _fits(value: Any, kind: Type) -> bool:
    """Return whether a literal is of a type, as a study's value has to be; a whole number is a float, too."""
    if value is None:
        return kind.optional
    match kind.base:
        case "int" | "float":
            right = isinstance(value, int if kind.base == "int" else int | float) and not isinstance(value, bool)
            return right and (kind.bounds is None or within(value, kind.bounds))
        case "word":
            return value in kind.words
        case "digest":
            return isinstance(value, str) and DIGEST.fullmatch(value) is not None
        case "list":
            return isinstance(value, list) and all(kind.item and _fits(item, kind.item) for item in value)
        case _:
            return isinstance(value, {"bool": bool, "str": str, "nested": dict, "mapping": dict}[kind.base])


def _signature(function: ast.FunctionDef | ast.ClassDef, where: str, strict: bool) -> Signature:
    meaning = ast.get_docstring(function) or ""
    summary = meaning.split("\n\n")[0].replace("\n", " ").strip()
    if isinstance(function, ast.ClassDef):
        methods = (item for item in function.body if isinstance(item, ast.FunctionDef))
        constructor = next((method for method in methods if method.name == "__init__"), None)
        if constructor is None:
            return Signature((), {}, summary, meaning)
        function = constructor
    arguments = function.args
    data = tuple(argument.arg for argument in arguments.posonlyargs + arguments.args if argument.arg != "self")
    settings = {}
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        place = f"{where}: {argument.arg}"
        if argument.annotation is None:
            raise ComponentError(f"{place}: a setting needs a type")
        try:
            kind = _type(argument.annotation, place)
            value = None if default is None else _literal(default, place)
            if default is not None and not _fits(value, kind):
                raise ComponentError(f"{place}: the default {value!r} is not {kind}")
            settings[argument.arg] = Setting(kind, value, required=default is None)
        except ComponentError:
            if strict:
                raise
    return Signature(data, settings, summary, meaning)


def read_signature(path: Path, name: str, strict: bool = True) -> Signature | None:
    """Return the signature of a function or class at the top level of a file, None if it is not there.

    Args:
        path: the file, which is not imported.
        name: of the function or class.
        strict: refuse keyword-only parameters that cannot be settings. A step may have such; they are skipped.

    Raises:
        ComponentError: a setting has no type, no type that settings may have, or a default that is not a literal.
    """

    def parse(source: bytes) -> dict[str, Any] | None:
        for node in _statements(path, source):
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name:
                return asdict(_signature(node, f"{path.parent.name}/{path.name}: {name}", strict))
        return None

    values = _remembered(f"signature of {name}, {strict=}", path, parse)
    if values is None:
        return None
    settings = {key: Setting(**one | {"type": _type_of(one["type"])}) for key, one in values["settings"].items()}
    return Signature(**values | {"data": tuple(values["data"]), "settings": settings})


def _type_of(values: dict[str, Any]) -> Type:
    """Return a type from what `asdict` made of it."""
    bounds, words, item = values["bounds"], tuple(values["words"]), values["item"]
    return Type(**values | {"bounds": bounds and Interval(**bounds), "words": words, "item": item and _type_of(item)})


def read_words(path: Path, name: str) -> tuple[str, ...]:
    """Return the words of a constant at the top level of a file, such as METRICS = ("auroc", "fpr95"); () without it.

    Raises:
        ComponentError: the constant is no literal tuple or list of words.
    """

    def parse(source: bytes) -> list[str]:
        for node in _statements(path, source):
            match node:
                case ast.Assign(targets=[ast.Name(id=target)], value=ast.List(elts=items) | ast.Tuple(elts=items)) if (
                    target == name
                ):
                    values = [item.value for item in items if isinstance(item, ast.Constant)]
                    words = [value for value in values if isinstance(value, str)]
                    if len(words) == len(items):
                        return words
                    raise ComponentError(f"{path.parent.name}/{path.name}: {name} may hold words in quotes only")
        return []

    return tuple(_remembered(f"words of {name}", path, parse))


def _remembered(what: str, path: Path, parse: Callable[[bytes], Any]) -> Any:
    parser = f"{what} {parsed_files.version(__file__, str(contracts.__file__))}"
    return parsed_files.remembered(parser, path.read_bytes(), parse)


@lru_cache(maxsize=1)  # a component's signatures and its words are read one after another, and a tree is large
def _statements(path: Path, source: bytes) -> list[ast.stmt]:
    """Return the top level of a file."""
    try:
        return ast.parse(source).body
    except SyntaxError as error:  # also of bytes that are not UTF-8
        line = f":{error.lineno}" if error.lineno else ""
        raise ComponentError(f"{path}{line}: not readable as Python: {error.msg}") from None
