"""Mutants of the package: each changes one place in one module, or one character of one data file."""

from __future__ import annotations

import ast
import copy
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

SWAPPED = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult, ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult, ast.MatMult: ast.Mult, ast.BitOr: ast.BitAnd, ast.BitAnd: ast.BitOr, ast.LShift: ast.RShift,
    ast.RShift: ast.LShift, ast.BitXor: ast.BitOr,
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
KINDS = (
    "constant",
    "operator",
    "condition",
    "statement",
    "default",
    "arguments",
    "import",
    "decorator",
    "order",
    "data",
)
PACKAGE = "touchstone"


@dataclass(frozen=True)
class Mutant:
    """A changed file.

    Attributes:
        file: its path below the package.
        kind: one of KINDS.
        change: the first line that differs, before and after.
        content: its new bytes.
    """

    file: str
    kind: str
    change: str
    content: bytes


@dataclass(frozen=True)
class Place:
    """A place in a tree that a mutant can change: a field of a node, or an item of a field that is a list."""

    kind: str
    parent: ast.AST
    field: str
    index: int | None
    new: Callable[[random.Random], ast.AST | list[ast.AST] | None]  # None: there is nothing to exchange it with

    def put(self, new: ast.AST | list[ast.AST]) -> None:
        if isinstance(new, list):
            getattr(self.parent, self.field)[:] = new
        elif self.index is None:
            setattr(self.parent, self.field, new)
        else:
            getattr(self.parent, self.field)[self.index] = new


def changed_constant(node: ast.Constant) -> ast.Constant:
    value = node.value
    if isinstance(value, bool):
        return ast.Constant(not value)
    if isinstance(value, str):
        return ast.Constant(f"{value}x")
    if isinstance(value, bytes):
        return ast.Constant(value + b"x")
    if isinstance(value, int | float):
        return ast.Constant(value + 1)
    return ast.Constant(0)  # None and ...


def swapped_operator(node: ast.AST) -> ast.AST | None:
    new = copy.deepcopy(node)
    if isinstance(new, ast.BinOp | ast.BoolOp | ast.AugAssign):
        new.op = SWAPPED[type(new.op)]()
    elif isinstance(new, ast.Compare):
        new.ops[0] = SWAPPED[type(new.ops[0])]()
    elif isinstance(new, ast.UnaryOp):
        return new.operand
    else:
        return None
    return new


def changed_call(node: ast.Call, rng: random.Random) -> ast.Call | None:
    """Return the call with two arguments exchanged, or without one of its keywords."""
    new = copy.deepcopy(node)
    plain = [index for index, argument in enumerate(new.args) if not isinstance(argument, ast.Starred)]
    if len(plain) > 1 and (not new.keywords or rng.random() < 0.5):
        one, other = rng.sample(plain, 2)
        new.args[one], new.args[other] = new.args[other], new.args[one]
    elif new.keywords:
        del new.keywords[rng.randrange(len(new.keywords))]
    else:
        return None
    return new


def exchanged_import(
    node: ast.ImportFrom, names: Callable[[str], list[str]], rng: random.Random
) -> ast.ImportFrom | None:
    """Return the import with another name of the same module of ours in the place of one that it imports."""
    if node.module is None or node.module.partition(".")[0] != PACKAGE:
        return None
    new = copy.deepcopy(node)
    alias = rng.choice(new.names)
    others = [name for name in names(node.module) if name != alias.name]
    if not others:
        return None
    alias.asname, alias.name = alias.asname or alias.name, rng.choice(others)
    return new


def places(tree: ast.Module, names: Callable[[str], list[str]]) -> Iterator[Place]:
    """Yield the places of a module that a mutant can change."""
    for parent in ast.walk(tree):
        for field, value in ast.iter_fields(parent):
            nodes = list(enumerate(value)) if isinstance(value, list) else [(None, value)]
            for index, node in nodes:
                if isinstance(node, ast.AST):
                    for kind, new in changes(parent, field, node, names):
                        yield Place(kind, parent, field, index, new)
            if field in ("body", "orelse", "finalbody") and isinstance(value, list) and len(value) > 1:
                yield Place("order", parent, field, 0, lambda rng, body=value: exchanged_statements(body, rng))


def changes(parent: ast.AST, field: str, node: ast.AST, names: Callable[[str], list[str]]) -> Iterator[tuple]:
    """Yield what can be in the place of a node: pairs of a kind and a function that makes the new node."""
    if isinstance(node, ast.Constant) and not isinstance(parent, ast.Expr | ast.JoinedStr | ast.FormattedValue):
        yield "constant", lambda rng: changed_constant(node)
    if isinstance(node, ast.BinOp | ast.BoolOp | ast.AugAssign | ast.Compare | ast.UnaryOp):
        yield "operator", lambda rng: swapped_operator(node)
    if field in ("test", "ifs"):
        yield "condition", lambda rng: ast.UnaryOp(ast.Not(), node)
    docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    if isinstance(node, ast.stmt) and not isinstance(node, DEFINITIONS) and not docstring:
        yield "statement", lambda rng: ast.Pass()
    if isinstance(parent, ast.arguments) and field in ("defaults", "kw_defaults"):
        yield "default", lambda rng: changed_constant(node) if isinstance(node, ast.Constant) else ast.Constant(None)
    if isinstance(node, ast.Call):
        yield "arguments", lambda rng: changed_call(node, rng)
    if isinstance(node, ast.ImportFrom):
        yield "import", lambda rng: exchanged_import(node, names, rng)
    if field in ("decorator_list", "bases"):
        yield "decorator", lambda rng: [other for other in getattr(parent, field) if other is not node]


def exchanged_statements(body: list[ast.stmt], rng: random.Random) -> list[ast.AST]:
    first = rng.randrange(len(body) - 1)
    return [*body[:first], body[first + 1], body[first], *body[first + 2 :]]


def top_level_names(tree: ast.Module) -> list[str]:
    """Return the names that a module defines."""
    names = [node.name for node in tree.body if isinstance(node, DEFINITIONS)]
    targets = [target for node in tree.body if isinstance(node, ast.Assign) for target in node.targets]
    return names + [target.id for target in targets if isinstance(target, ast.Name)]


class Sources:
    """The files of a package, from which mutants are drawn.

    Args:
        package: the folder of the package.
        files: the paths below it of those that mutants may change.
    """

    def __init__(self, package: Path, files: list[str]) -> None:
        self.package = package
        self.modules = sorted(name for name in files if name.endswith(".py"))
        self.data = sorted(name for name in files if not name.endswith(".py"))

    def names(self, module: str) -> list[str]:
        """Return the names that a module of the package defines."""
        place = self.package.joinpath(*module.split(".")[1:])
        path = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
        if not path.is_file():
            return []
        modules = [other.stem for other in path.parent.glob("*.py")] if path.name == "__init__.py" else []
        return [*top_level_names(ast.parse(path.read_text())), *modules]

    def draw(self, rng: random.Random) -> Mutant:
        """Draw a mutant: first its kind, then its file, then its place."""
        while True:
            kind = rng.choice(KINDS)
            mutant = self._of_data(rng) if kind == "data" else self._of_module(kind, rng)
            if mutant is not None:
                return mutant

    def _of_module(self, kind: str, rng: random.Random) -> Mutant | None:
        file = rng.choice(self.modules)
        tree = ast.parse((self.package / file).read_text())
        before = ast.unparse(tree)
        found = [place for place in places(tree, self.names) if place.kind == kind]
        if not found:
            return None
        place = rng.choice(found)
        new = place.new(rng)
        if new is None:
            return None
        place.put(new)
        after = ast.unparse(ast.fix_missing_locations(tree))
        try:
            compile(after, file, "exec")
        except (SyntaxError, ValueError):  # such as `from __future__` exchanged with the statement before it
            return None
        pairs = zip_longest(before.splitlines(), after.splitlines(), fillvalue="")
        changes = (f"{one.strip()} -> {other.strip()}" for one, other in pairs if one != other)
        return None if before == after else Mutant(file, kind, next(changes)[:300], after.encode())

    def _of_data(self, rng: random.Random) -> Mutant | None:
        file = rng.choice(self.data) if self.data else ""
        content = bytearray((self.package / file).read_bytes()) if file else bytearray()
        where = [place for place, byte in enumerate(content) if chr(byte).isascii() and chr(byte).isalnum()]
        if not where:
            return None
        place = rng.choice(where)
        old = chr(content[place])
        new = str((int(old) + 1) % 10) if old.isdigit() else old.swapcase()
        content[place] = ord(new)
        line = content[:place].count(b"\n") + 1
        return Mutant(file, "data", f"{old} -> {new} in line {line}", bytes(content))
