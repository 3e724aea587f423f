"""The definitions that a job can reach, and one digest of them.

A job is computed again if a definition that it can reach changes, or what a name in it means. To rename or split a file
changes no digest, because names are replaced by the digests of what they mean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from touchstone.digests import canonical, sha256
from touchstone.provenance.definition_text import Part
from touchstone.provenance.definitions import CALLS, EFFECTS, Module

OURS = "touchstone"
OWN_FILE = "__file__"  # code of a plug-in that knows where it lies can read any file of its folder of plug-ins
# These definitions find code by a name in the settings. What they find are roots of the job's code.
FIND_BY_NAME = frozenset(
    {
        ("touchstone.registry", "_load"),
        ("touchstone.plugins", "use"),
        ("touchstone.plugins", "_forget_imported"),
        ("touchstone.pipeline.jobs.run", "find_adapter"),
    }
)
# What other modules have that a digest of code cannot follow, by whatever name a file imports it.
HIDING = {
    **dict.fromkeys(
        (
            *("importlib.import_module", "importlib.__import__", "importlib.util.spec_from_file_location"),
            *("importlib.util.module_from_spec", "runpy.run_module", "runpy.run_path", "pkgutil.resolve_name"),
            *("sys.modules", "builtins.__import__"),
        ),
        "import the module by its name",
    ),
    **dict.fromkeys(("builtins.eval", "builtins.exec"), "write the statements themselves"),
    **dict.fromkeys(
        ("inspect.getdoc", "inspect.getsource", "inspect.getsourcelines", "inspect.findsource"),
        "comments and docstrings are not part of a digest; use a constant",
    ),
}
Node = tuple[str, str]  # (module, definition)


class Unfollowed(ValueError):
    """A job's code hides from the digest what it runs; the message names the file, the line and what to write instead."""


@dataclass(frozen=True)
class Reached:
    """What a job can reach.

    Attributes:
        digest: of all of it.
        definitions: {name: digest of its own text}, to say what differs; names of files do not count in `digest`.
        libraries: the top-level modules of other packages that the definitions name.
        files: {path below the package or beside the module: digest} of the data files that they name.
    """

    digest: str
    definitions: dict[str, str]
    libraries: frozenset[str]
    files: dict[str, str]


@dataclass
class _Uses:
    """What a definition uses: a text with a gap for each definition of ours, and the definitions in the gaps."""

    words: list[str | Node] = field(default_factory=list)
    libraries: set[str] = field(default_factory=set)
    hiding: list[str] = field(default_factory=list)  # names of HIDING

    def nodes(self) -> Iterator[Node]:
        return (word for word in self.words if isinstance(word, tuple))


class Program:
    """All files that jobs can import, as they are now.

    Args:
        read: returns the parts of a module of ours by its name, or None if there is no such file.
        data_files: returns {path: digest} of the data files that a string in a module may name, or OWN_FILE.
    """

    def __init__(
        self, read: Callable[[str], Module | None], data_files: Callable[[str, str], dict[str, str]] = lambda *_: {}
    ) -> None:
        self.read = lru_cache(maxsize=None)(read)
        self.data_files = lru_cache(maxsize=None)(data_files)
        self._uses: dict[Node, _Uses] = {}
        self._digests: dict[Node, str] = {}
        self._texts: dict[Node, str] = {}  # the digest of each definition's own text

    def find(self, module: str, name: str) -> Node | None:
        """Return where a name of a module is defined, which may be another module; None if it is not defined."""
        found = self.read(module)
        if found is None or name in found.definitions:
            return None if found is None else (module, name)
        origins = [self.find(*origin) for origin in found.imports.get(name, ()) if origin[0].startswith(f"{OURS}.")]
        return origins[0] if len(origins) == 1 else None

    def effects(self, nodes: Iterable[Node]) -> list[Node]:
        """Return the statements that run for their effects when what definitions can reach is imported, in order."""
        modules = ((module, self._module(module)) for module in self._closure(nodes)[1])
        return [(name, EFFECTS) for name, module in modules if module is not None and module.effects]

    def reach(self, roots: Iterable[Node], before: Iterable[Node] = ()) -> Reached:
        """Return what definitions can reach, for example [("touchstone.attacks.pgd", "pgd")].

        Args:
            roots: The definitions.
            before: What runs before them in their process, as `effects` returns it.

        Raises:
            Unfollowed: A definition hides what it runs.
        """
        roots, before = list(roots), list(before)
        visited, imported = self._closure([*roots, *before])
        for node in visited:
            self._refuse_unfollowed(node)
        at_import = [(module, kind) for kind in (CALLS, EFFECTS) for module in imported]
        ran = [node for node in dict.fromkeys([*before, *at_import]) if node in visited]
        written = [
            [self.digest(node) for node in roots],
            sorted(self.digest(node) for node in ran if node[1] == CALLS),
            [self.digest(node) for node in ran if node[1] == EFFECTS],
        ]
        found = [files for node in visited for files in (self._named_files(node), self._folder_files(node))]
        files = {path: digest for each in found for path, digest in each.items()}
        return Reached(
            sha256(canonical(written).encode()),
            {".".join([*node[0].split(".")[1:], node[1]]): self._text(node) for node in sorted(visited)},
            frozenset().union(*(self._uses[node].libraries for node in visited)),
            dict(sorted(files.items())),
        )

    def _closure(self, roots: Iterable[Node]) -> tuple[set[Node], dict[str, None]]:
        """Return every definition that can be reached, and every module that is imported, in order."""
        visited, imported, waiting = set[Node](), dict[str, None](), list(roots)
        while waiting:
            node = waiting.pop()
            if node in visited:
                continue
            visited.add(node)
            part = self._part(node)
            for module in (node[0], *part.loads):
                waiting += self._import(module, imported)
            waiting += reversed(list(self.uses(node).nodes()))
        return visited, imported

    def _import(self, name: str, imported: dict[str, None]) -> Iterator[Node]:
        """Note a module and all modules that importing it imports; yield their statements that count for it."""
        module = self._module(name)
        if module is None or name in imported:
            return
        imported[name] = None
        for other in (name.rpartition(".")[0], *module.loads):
            yield from self._import(other, imported)
        del imported[name]
        imported[name] = None  # after what it imports
        if module.calls:
            yield name, CALLS
        if module.effects:
            yield name, EFFECTS

    def _module(self, name: str) -> Module | None:
        return self.read(name) if name.partition(".")[0] == OURS else None

    def _part(self, node: Node) -> Part:
        module = self.read(node[0])
        part = None if module is None else module.part(node[1])
        if part is None:
            raise KeyError(f"{node[0]} has no {node[1]}")
        return part

    def _text(self, node: Node) -> str:
        if node not in self._texts:
            self._texts[node] = self._part(node).digest()
        return self._texts[node]

    def _refuse_unfollowed(self, node: Node) -> None:
        if node not in FIND_BY_NAME:
            file = f"{node[0].removeprefix(f'{OURS}.').replace('.', '/')}.py"
            for sentence in self._part(node).unfollowed:
                raise Unfollowed(f"{file}: {sentence}")
            for name in self.uses(node).hiding:
                raise Unfollowed(
                    f"{file}: {node[1]}: {name} hides what runs from the digest of the code; {HIDING[name]}"
                )

    def _named_files(self, node: Node) -> dict[str, str]:
        found = dict[str, str]()
        for text in self._part(node).strings:
            found |= self.data_files(node[0], text)
        return found

    def _folder_files(self, node: Node) -> dict[str, str]:
        return self.data_files(node[0], OWN_FILE) if any(OWN_FILE in names for names in self._part(node).names) else {}

    def uses(self, node: Node) -> _Uses:
        """Return what a definition uses."""
        if node not in self._uses:
            part, uses = self._part(node), _Uses()
            uses.words.append(part.text)
            for base, *attributes in part.names:
                uses.words.append(" ")
                self._resolve(node[0], part, base, attributes, uses)
            uses.words += [f" {digest}" for digest in self._named_files(node).values()]
            uses.words += [f" {path} {digest}" for path, digest in self._folder_files(node).items()]
            self._uses[node] = uses
        return self._uses[node]

    def _resolve(self, name: str, part: Part, base: str, attributes: list[str], uses: _Uses) -> None:
        """Write what a name in a part of a module means."""
        module = self.read(name)
        assert module is not None
        if base == "__name__":
            uses.words.append(name)
            return
        origins = [*part.imports.get(base, ()), *([] if base in module.definitions else module.imports.get(base, ()))]
        if base in module.definitions:
            uses.words += [(name, base), ".".join(["", *attributes])]
        for origin in origins:
            self._mean(origin[0], origin[1], attributes, uses)
        if base not in module.definitions and not origins:
            uses.words.append(".".join([base, *attributes]))  # a builtin
            if base == "globals":
                self._whole(name, uses)

    def _mean(self, name: str, defined: str, attributes: list[str], uses: _Uses) -> None:
        """Write what `from module import name` and then `.attributes` means."""
        if name.partition(".")[0] != OURS:
            uses.libraries.add(name.partition(".")[0])
            uses.words.append(whole := ".".join([*filter(None, (name, defined)), *attributes]))
            uses.hiding += [hidden for hidden in HIDING if f"{whole}.".startswith(f"{hidden}.")]
            return
        module = self.read(name)
        known = module is not None and (defined in module.definitions or defined in module.imports)
        if defined and not known and self.read(f"{name}.{defined}") is not None:
            name, defined, module = f"{name}.{defined}", "", self.read(f"{name}.{defined}")
        if module is None:
            uses.words.append(".".join([name, defined, *attributes]))  # it is not there: an import error
        elif not defined and attributes:
            self._mean(name, attributes[0], attributes[1:], uses)
        elif not defined:
            self._whole(name, uses)
        elif defined in module.definitions:
            uses.words += [(name, defined), ".".join(["", *attributes])]
        elif defined in module.imports:
            for origin in module.imports[defined]:
                self._mean(origin[0], origin[1], attributes, uses)
        else:  # a module's __getattr__, or a name that is not there
            self._whole(name, uses)
            uses.words.append(".".join(["", defined, *attributes]))

    def _whole(self, name: str, uses: _Uses) -> None:
        """Write every definition of a module, in an order that does not depend on their places."""
        module = self.read(name)
        assert module is not None
        ordered = sorted(module.definitions, key=lambda defined: (module.definitions[defined].text, defined))
        uses.words += ["[", *((name, defined) for defined in ordered), "]"]

    def digest(self, node: Node) -> str:
        """Return the digest of a definition and of everything that it can reach by names."""
        if node not in self._digests:
            for group in self._groups(node):
                members = set(group)
                new = {member: self._digest_in(member, members) for member in group}
                self._digests.update(new)
        return self._digests[node]

    def _digest_in(self, start: Node, group: set[Node]) -> str:
        """Return a definition's digest; those that reach each other are numbered in the order of first use."""
        numbers, written = {start: 0}, []
        for node in (order := [start]):  # it grows
            for word in self.uses(node).words:
                if isinstance(word, str):
                    written.append(word)
                elif word in group:
                    if word not in numbers:
                        numbers[word] = len(order)
                        order.append(word)
                    written.append(f"#{numbers[word]}")
                else:
                    written.append(self._digests[word])
            written.append("\n")
        return sha256("".join(written).encode()).removeprefix("sha256:")

    def _groups(self, start: Node) -> Iterator[list[Node]]:
        """Yield groups of definitions that reach each other, those that others use first (Tarjan's algorithm)."""
        index: dict[Node, int] = {start: 0}
        low: dict[Node, int] = {start: 0}
        stack, open_ = [start], {start}
        work = [(start, self.uses(start).nodes())]
        while work:
            node, following = work[-1]
            for other in following:
                if other in self._digests:
                    continue
                if other not in index:
                    index[other] = low[other] = len(index)
                    stack.append(other)
                    open_.add(other)
                    work.append((other, self.uses(other).nodes()))
                    break
                if other in open_:
                    low[node] = min(low[node], index[other])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    group = list[Node]()
                    while not group or group[-1] != node:
                        group.append(stack.pop())
                        open_.discard(group[-1])
                    yield group
