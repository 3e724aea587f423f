"""The definitions of one Python file.

A definition is every top-level statement that gives a name its value. Comments, docstrings, import lines and the layout
do not count.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

from touchstone.digests import sha256
from touchstone.provenance.definition_text import (
    Definition,
    Function,
    Origin,
    Part,
    Scopes,
    Writer,
    bound_by_import,
    loaded_modules,
)

# Decorators that keep no list of what they decorate.
PURE_DECORATORS = frozenset(
    (
        *("dataclass", "contextmanager", "cache", "lru_cache", "cached_property", "property", "staticmethod"),
        *("classmethod", "wraps", "overload", "abstractmethod", "total_ordering", "setter", "no_grad", "unique"),
    )
)
# Calls at the top of a file that change nothing elsewhere. Any other call counts whenever its file is imported.
PURE_CALLS = frozenset(
    (
        *(
            "frozenset",
            "set",
            "tuple",
            "list",
            "dict",
            "sorted",
            "sum",
            "len",
            "range",
            "slice",
            "type",
            "zip",
            "fromkeys",
        ),
        *(
            "compile",
            "escape",
            "Path",
            "with_name",
            "TypeVar",
            "ContextVar",
            "namedtuple",
            "field",
            "fields",
            "partial",
        ),
        *(
            "Ge",
            "Gt",
            "Le",
            "Lt",
            "Interval",
            "array",
            "asarray",
            "arange",
            "dtype",
            "maketrans",
            "radians",
            "join",
            "split",
        ),
        *(
            "getLogger",
            "startswith",
            "items",
            "keys",
            "values",
            "Markup",
            "int",
            "float",
            "str",
            "min",
            "max",
            "Fraction",
        ),
    )
)
UNSEEN = ("TYPE_CHECKING", "typing.TYPE_CHECKING")  # conditions that hold in no run
SEEN = tuple(f"not {test}" for test in UNSEEN)
CALLS, EFFECTS = "(calls at import)", "(effects of import)"  # the names of a file's statements that run at its import


@dataclass
class Module:
    """The parts of a file.

    Attributes:
        definitions: by name.
        imports: what the file's imports bind, by name.
        loads: the modules that importing the file imports, in order.
        calls: the statements that bind names by calls which might also change something elsewhere.
        effects: the statements that bind no name, and so change something elsewhere.
    """

    definitions: dict[str, Part] = field(default_factory=dict)
    imports: dict[str, list[Origin]] = field(default_factory=dict)
    loads: list[str] = field(default_factory=list)
    calls: Part | None = None
    effects: Part | None = None

    def part(self, name: str) -> Part | None:
        """Return a definition, or the statements that run at import: CALLS or EFFECTS."""
        return {CALLS: self.calls, EFFECTS: self.effects}.get(name) or self.definitions.get(name)

    def as_json(self) -> dict[str, Any]:
        """Return the module as JSON can hold it."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Module:
        """Return the module that `as_json` wrote."""
        definitions = {name: Part(**part) for name, part in values["definitions"].items()}
        calls, effects = (None if values[key] is None else Part(**values[key]) for key in ("calls", "effects"))
        return cls(definitions, values["imports"], values["loads"], calls, effects)


def parse(source: bytes) -> Module:
    """Return the definitions of a file.

    Raises:
        SyntaxError: The bytes are not Python code.
    """
    text = source.decode()
    tree = ast.parse(text)
    scopes = Scopes.of(text, tree)
    statements: dict[str, list[ast.stmt]] = {}
    calls: list[ast.stmt] = []
    effects: list[ast.stmt] = []
    module = Module()
    for statement in _executed(tree.body, module):
        names = _bound_names(statement)
        for name in names:
            statements.setdefault(name, []).append(statement)
        if not names:
            effects.append(statement)
        elif not _is_pure(statement):
            calls.append(statement)
    for name in statements.keys() & module.imports.keys():  # `torch.x = 1` changes what it imports
        effects += statements.pop(name)
    effects.sort(key=lambda statement: statement.lineno)
    for name, defining in statements.items():
        part = module.definitions[name] = _part(defining, scopes, _is_bound_twice(name, defining))
        if any(len(_bound_names(statement)) > 1 for statement in defining):  # which of `a, b = 1, 2` is meant?
            part.text = sha256(f"{name} {part.text}".encode())
    module.calls = _part(calls, scopes) if calls else None
    module.effects = _part(effects, scopes) if effects else None
    return module


def _executed(statements: list[ast.stmt], module: Module) -> Iterator[ast.stmt]:
    """Yield the statements that run when a file is imported, without imports, which the module receives."""
    for statement in statements:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            module.loads += loaded_modules(statement)
            for name, origin in bound_by_import(statement):
                module.imports.setdefault(name, []).append(origin)
        elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
            continue  # a docstring
        elif isinstance(statement, ast.If) and (test := ast.unparse(statement.test)) in (*UNSEEN, *SEEN):
            seen, unseen = statement.body, statement.orelse
            if test in UNSEEN:
                seen, unseen = unseen, seen
            yield from _executed(seen, module)
            for inner in unseen:  # annotations name them
                if isinstance(inner, ast.Import | ast.ImportFrom):
                    for name, origin in bound_by_import(inner):
                        module.imports.setdefault(name, []).append(origin)
        elif isinstance(statement, ast.If) and test == "__name__ == '__main__'":
            yield from _executed(statement.orelse, module)  # the rest runs in no import
        else:
            if not isinstance(statement, Definition):
                module.loads += [name for node in ast.walk(statement) for name in loaded_modules(node)]
            yield statement


def _is_pure(statement: ast.stmt) -> bool:
    """Return whether a statement that binds names changes nothing else."""
    if isinstance(statement, Definition):
        run = list(_run_now(statement))
        decorators = [decorator for node in run if isinstance(node, Definition) for decorator in node.decorator_list]
        calls = [node.func for node in run if isinstance(node, ast.Call) and node not in decorators]
        keywords = [keyword for node in run if isinstance(node, ast.ClassDef) for keyword in node.keywords]
        return _all_in(PURE_DECORATORS, decorators) and _all_in(PURE_CALLS, calls) and not keywords
    if not isinstance(statement, ast.Assign | ast.AnnAssign | ast.AugAssign):
        return not any(isinstance(node, ast.Call) for node in ast.walk(statement))
    return _all_in(PURE_CALLS, [node.func for node in _run_now(statement) if isinstance(node, ast.Call)])


def _run_now(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes that run with a statement: not what its functions and lambdas run when they are called."""
    yield node
    for name, value in ast.iter_fields(node):
        if name == "body" and isinstance(node, Function | ast.Lambda):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from _run_now(child)


def _all_in(names: frozenset[str], nodes: list[ast.expr]) -> bool:
    plain = (node.func if isinstance(node, ast.Call) else node for node in nodes)
    return all(ast.unparse(node).rpartition(".")[2] in names for node in plain)


def _bound_names(statement: ast.stmt) -> list[str]:
    """Return the module's names that a statement defines or changes: also `x` in `x.a = ...` and `x[0] = ...`."""
    if isinstance(statement, Function):
        return [statement.name]
    if isinstance(statement, ast.ClassDef):  # what its body binds is its own, but that may change what the module binds
        inside = list(_run_now(statement))[1:]
        own = {node.id for node in inside if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
        own |= {node.name for node in inside if isinstance(node, Definition)}
        return [statement.name, *dict.fromkeys(name for node in inside if (name := _changed(node)) and name not in own)]
    names = {}
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del):
            names[node.id] = 0
        elif isinstance(node, Definition):
            names[node.name] = 0
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {name: 0 for name, _ in bound_by_import(node)}
        elif changed := _changed(node):
            names[changed] = 0
    return list(names)


def _changed(node: ast.AST) -> str:
    """Return the name of what a node changes: `x` of `x.a` and `x[0]` where these are set or deleted; "" for none."""
    if not isinstance(node, ast.Attribute | ast.Subscript) or isinstance(node.ctx, ast.Load):
        return ""
    base: ast.AST = node
    while isinstance(base, ast.Attribute | ast.Subscript):
        base = base.value
    return base.id if isinstance(base, ast.Name) else ""


def _is_bound_twice(name: str, statements: list[ast.stmt]) -> bool:
    """Return whether several statements bind a name; another statement may have used the first value meanwhile."""
    binding = 0
    for statement in statements:
        if isinstance(statement, Definition):
            binding += statement.name == name
        else:
            stored = (node for node in _run_now(statement) if isinstance(node, ast.Name) and node.id == name)
            binding += any(isinstance(node.ctx, ast.Store) for node in stored) and not _in_comprehension(
                name, statement
            )
    return binding > 1


def _in_comprehension(name: str, statement: ast.stmt) -> bool:
    targets = {ast.unparse(node.target) for node in ast.walk(statement) if isinstance(node, ast.comprehension)}
    return any(name in target.replace("(", "").replace(")", "").split(", ") for target in targets)


def _part(statements: list[ast.stmt], scopes: Scopes, twice: bool = False) -> Part:
    writer = Writer(scopes)
    for statement in statements:
        writer.write(statement)
    part = writer.part
    part.text = sha256("\n".join(writer.words).encode())
    if not all(isinstance(node, Definition) for node in statements):
        part.names += [[name] for name in part.imports]  # `try: import a as b` gives b its value
    if twice:
        part.unfollowed.append(f"line {statements[-1].lineno}: binds a name a second time; give it another name")
    return part
