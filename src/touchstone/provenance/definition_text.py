"""The text of a definition without what does not count, and what the names in it are.

A global name is replaced by a gap, because a digest counts what it means and not how it is called.
"""

from __future__ import annotations

import ast
import re
import symtable
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from touchstone.digests import canonical, sha256

# What a digest of code cannot follow, and what to write instead.
UNFOLLOWED = {
    "import_module": "import the module by its name",
    "__import__": "import the module by its name",
    "sys.modules": "import the module by its name",
    "eval": "write the expression itself",
    "exec": "write the statements themselves",
    "__doc__": "docstrings are not part of a digest; use a constant",
    "getdoc": "docstrings are not part of a digest; use a constant",
    "getsource": "comments are not part of a digest; use a constant",
    "getsourcelines": "comments are not part of a digest; use a constant",
    "__module__": "a file's name is not part of a digest; use a constant",
    "__subclasses__": "list the classes by name",
    "__init_subclass__": "list the classes by name",
}
FILE = re.compile(r"\w[\w-]*([./][\w-]+)+")  # the form of a data file's or folder's name

Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
Origin = list[str]  # [module, name]: `from module import name`; the name is "" for the module itself


@dataclass
class Part:
    """One definition of a file.

    Attributes:
        text: the digest of its statements, with a gap for each global name.
        names: the names in the gaps, in order, each with its attributes: ["torch", "nn", "Linear"].
        imports: what imports inside the definition bind, by name.
        loads: the modules that imports inside it load.
        strings: its string constants that look like names of files.
        unfollowed: sentences about what a digest cannot follow, each after its line.
    """

    text: str = ""
    names: list[list[str]] = field(default_factory=list)
    imports: dict[str, list[Origin]] = field(default_factory=dict)
    loads: list[str] = field(default_factory=list)
    strings: list[str] = field(default_factory=list)
    unfollowed: list[str] = field(default_factory=list)

    def digest(self) -> str:
        """Return the digest of the definition's own text and of the names in it, in 16 digits."""
        return sha256(canonical([self.text, self.names, self.imports]).encode()).removeprefix("sha256:")[:16]


def loaded_modules(node: ast.AST) -> list[str]:
    """Return the modules that a node imports, if it is an import."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
    return []


def bound_by_import(node: ast.Import | ast.ImportFrom) -> list[tuple[str, Origin]]:
    """Return what an import binds: pairs of a name and what it stands for."""
    if isinstance(node, ast.Import):
        return [
            (a.asname, [a.name, ""]) if a.asname else (a.name.split(".")[0], [a.name.split(".")[0], ""])
            for a in node.names
        ]
    if node.level:
        raise ValueError(f"line {node.lineno}: a relative import; write `from touchstone.NAME import ...`")
    if any(alias.name == "*" for alias in node.names):
        raise ValueError(f"line {node.lineno}: a star import; name what is imported")
    return [(alias.asname or alias.name, [node.module or "", alias.name]) for alias in node.names]


def _may_be_file(text: str) -> bool:
    return len(text) < 100 and bool(FILE.fullmatch(text))


def _unfollowed(node: ast.AST) -> Iterator[str]:
    """Yield what a digest cannot follow at a node."""
    name: object = ""
    if isinstance(node, ast.Name):
        name = node.id
    elif isinstance(node, ast.Attribute):
        name = "sys.modules" if ast.unparse(node) == "sys.modules" else node.attr
        name = "" if name in ("eval", "exec") else name  # `model.eval()`
    elif isinstance(node, ast.Call) and ast.unparse(node.func) == "getattr":
        name = next((item.value for item in node.args[1:2] if isinstance(item, ast.Constant)), "")
    elif isinstance(node, ast.alias):
        name = node.name.rpartition(".")[2]
    elif isinstance(node, Function):
        name = node.name if node.name == "__init_subclass__" else ""
    if name in UNFOLLOWED:
        yield f"line {getattr(node, 'lineno', 0)}: {name} hides what runs from the digest of the code; {UNFOLLOWED[name]}"
    if isinstance(node, ast.ClassDef) and any(keyword.arg == "metaclass" for keyword in node.keywords):
        yield f"line {node.lineno}: a metaclass hides what runs from the digest of the code; use a function"


@dataclass(frozen=True)
class Scopes:
    """What the names of a file are.

    Attributes:
        local: the names that some scope inside the file binds.
        read_globally: those that the file's own statements read, or that some scope imports or takes from the module.
        evaluated: whether annotations are evaluated: the file lacks `from __future__ import annotations`.
    """

    local: frozenset[str]
    read_globally: frozenset[str]
    evaluated: bool

    @classmethod
    def of(cls, source: str, tree: ast.Module) -> Scopes:
        """Return the names of a file's scopes, from its text and what that was parsed to."""
        top = symtable.symtable(source, "", "exec")
        local = set[str]()
        read_globally = {symbol.get_name() for symbol in top.get_symbols() if symbol.is_referenced()}
        waiting = list(top.get_children())
        while waiting:
            table = waiting.pop()
            waiting += table.get_children()
            in_class = table.get_type() == "class"
            for symbol in table.get_symbols():
                if symbol.is_local() and not symbol.is_imported():
                    local.add(symbol.get_name())
                if symbol.is_global() or symbol.is_imported() or (in_class and symbol.is_referenced()):
                    read_globally.add(symbol.get_name())
        postponed = any(isinstance(node, ast.ImportFrom) and node.module == "__future__" for node in tree.body)
        return cls(frozenset(local), frozenset(read_globally), not postponed)


class Writer:
    """Writes a definition without what does not count, and with gaps in the place of its global names.

    A name that is local in one scope of the definition and global in another keeps its place, and also counts.
    """

    def __init__(self, scopes: Scopes) -> None:
        self.scopes = scopes
        self.part, self.words = Part(), list[str]()

    def write(self, node: ast.AST) -> None:
        """Write a node and those in it."""
        if isinstance(node, ast.Import | ast.ImportFrom):
            self._note_import(node)
            return
        self.part.unfollowed += _unfollowed(node)
        if isinstance(node, ast.Name | ast.Attribute) and self._written_as_gap(node):
            return
        if isinstance(node, ast.Constant):
            self.words.append(f"{type(node.value).__name__} {node.value!r}")
            if isinstance(node.value, str) and _may_be_file(node.value):
                self.part.strings.append(node.value)
            return
        self.words.append(type(node).__name__)
        for name, value in ast.iter_fields(node):
            if isinstance(value, list):
                if name == "body" and isinstance(node, Definition) and _is_docstring(value[0]):
                    value = value[1:] or [ast.Pass()]
                self.words.append("[")
                for item in value:
                    self._write_value(item)
                self.words.append("]")
            else:
                if name in ("annotation", "returns") and value is not None and self.scopes.evaluated:
                    self.words.append("evaluated")
                self._write_value(value)

    def _write_value(self, value: Any) -> None:
        if isinstance(value, ast.expr_context):
            self.words.append("" if isinstance(value, ast.Load) else type(value).__name__)
        elif isinstance(value, ast.AST):
            self.write(value)
        else:
            self.words.append(repr(value))

    def _written_as_gap(self, node: ast.Name | ast.Attribute) -> bool:
        """Write a global name with its attributes as a gap; return whether the node is one."""
        names, base = [], node
        while isinstance(base, ast.Attribute):
            names.append(base.attr)
            base = base.value  # type: ignore[assignment]
        if not isinstance(base, ast.Name):
            return False
        if base.id in self.scopes.local:
            if base is node and base.id in self.scopes.read_globally:
                self.part.names.append([base.id])
            return False
        if not isinstance(node.ctx, ast.Load):
            return False
        if node is not base:
            self.part.unfollowed += _unfollowed(base)
        self.part.names.append([base.id, *reversed(names)])
        self.words.append("_")
        return True

    def _note_import(self, node: ast.Import | ast.ImportFrom) -> None:
        self.part.loads += loaded_modules(node)
        for alias in node.names:
            self.part.unfollowed += _unfollowed(alias)
        for name, origin in bound_by_import(node):
            self.part.imports.setdefault(name, []).append(origin)


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
