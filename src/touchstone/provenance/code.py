"""The code of a job: the definitions that it can reach, the data files that they open, the packages that they import."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from importlib.util import find_spec
from pathlib import Path

from touchstone import parsed_files, plugins
from touchstone.digests import canonical, file_digest, sha256
from touchstone.provenance import definition_text, definitions, plugin_data, whole_files
from touchstone.provenance.reach import OWN_FILE, Program, Reached
from touchstone.provenance.reach import Node as Node
from touchstone.provenance.reach import Unfollowed as Unfollowed

PACKAGE = plugins.PACKAGE
ADAPTERS = "touchstone.pipeline.jobs.adapters"
# What every job runs: its environment is set, then its tasks run one after another.
EVERY_JOB: Node = ("touchstone.pipeline.jobs.run", "run_in_own_process")
# What plans a job in its process. Its results are the settings; the effects of its imports stay in the process.
BEFORE_A_JOB: tuple[Node, ...] = (
    ("touchstone.__main__", "main"),
    ("touchstone.commands.job", "main"),
    ("touchstone.pipeline.jobs.warm", "serve"),
)
OPTIONAL = ("fit", "companions", "METRICS")  # what may belong to a component besides what its file is named for
DISTRIBUTIONS = {"PIL": "pillow", "skimage": "scikit-image", "sklearn": "scikit-learn", "yaml": "pyyaml"}
MISSING = "not installed"
State = tuple[int, int, int]  # of a file: when its bytes were written, their number, when anything was changed
REACHED = Path(".touchstone/reached.json")  # what was reached, and from which files


@dataclass(frozen=True)
class Code:
    """The code of a task.

    Attributes:
        digest: of everything below; names of files and of definitions do not count.
        definitions: {name: digest of its text}, to say what differs; data files by their path below the package.
        packages: {name: version} of the packages that the definitions import.
    """

    digest: str
    definitions: dict[str, str]
    packages: dict[str, str]

    def differences(self, definitions: dict[str, str], packages: dict[str, str]) -> list[str]:
        """Return the definitions and packages that are other than a record says: ["attacks.pgd.pgd", "torch 2.14.1"]."""
        names = self.definitions.keys() | definitions.keys()
        changed = sorted(name for name in names if self.definitions.get(name) != definitions.get(name))
        others = (name for name in packages if self.packages.get(name, packages[name]) != packages[name])
        return [*changed, *(f"{name} {packages[name]}" for name in sorted(others))]


def code_of(step: str, settings: object, lock: Path | None = None) -> Code:
    """Return the code of a task as it is now.

    Args:
        step: The step of the task.
        settings: Its settings, which name components.
        lock: The requirements file of the environment in which the task will run; None for this environment.

    Raises:
        Unfollowed: A definition hides what it runs.
    """
    return code_from(roots(step, settings), lock)


def code_from(roots: tuple[Node, ...], lock: Path | None = None) -> Code:
    """Return the code that starts from these definitions, as `roots` returns them; otherwise as `code_of`."""
    return codes_from([roots], lock)[roots]


def codes_from(groups: Iterable[tuple[Node, ...]], lock: Path | None = None) -> dict[tuple[Node, ...], Code]:
    """Return the code that starts from each of these groups of definitions; otherwise as `code_from`."""
    files = _current_files()
    return {roots: _code(files.reach(roots), lock) for roots in groups}


def _code(reached: Reached, lock: Path | None) -> Code:
    others = reached.libraries - sys.stdlib_module_names
    if lock is None:
        _refuse_uninstalled(others)
    names = sorted({DISTRIBUTIONS.get(name, name) for name in others})
    packages = {name: _installed(name) if lock is None else _locked(lock, name) for name in names}
    digest = sha256(canonical([reached.digest, packages]).encode())
    return Code(digest, reached.definitions | reached.files, packages)


def _refuse_uninstalled(names: Iterable[str]) -> None:
    """Raise Unfollowed for a module that Python finds and no package has installed: nothing says when it changes."""
    for name in sorted(names):
        if _installed(DISTRIBUTIONS.get(name, name)) == MISSING and (found := find_spec(name)) is not None:
            raise Unfollowed(
                f"{name}: no package has installed {found.origin}, so its code is in no digest: put it into the folder of"
                f" plug-ins, and import touchstone.{name}"
            )


def roots(step: str, settings: object) -> tuple[Node, ...]:
    """Return the definitions that a task starts from, if they are there: of every job, of its step and its components.

    A download whose digest the settings pin starts from none, because no code can move its bytes.
    """
    if step == "fetch" and isinstance(settings, dict) and settings.get("sha256"):
        return ()
    return (EVERY_JOB, (ADAPTERS, f"run_{step}"), *components(settings))


def components(settings: object) -> Iterator[Node]:
    """Yield the definitions that may belong to the components which settings name."""
    for use in sorted(set(uses(settings))):
        for defined in (use.partition("/")[2], *OPTIONAL):
            yield plugins.module_of(use), defined


def uses(value: object) -> Iterator[str]:
    """Yield every `use:` in a value, however deep."""
    if isinstance(value, dict):
        if isinstance(value.get("use"), str):
            yield value["use"]
        for item in value.values():
            yield from uses(item)
    elif isinstance(value, list):
        for item in value:
            yield from uses(item)


def computes(step: str) -> bool:
    """Return whether a step computes numbers.

    If so, its output may depend on the processor.
    """
    return step != "fetch"


@cache
def _installed(name: str) -> str:
    with suppress(PackageNotFoundError):
        return version(name)
    found = packages_distributions().get(name)
    return version(found[0]) if found else MISSING


@cache
def _locked(lock: Path, name: str) -> str:
    pins = (
        line.split()[0].partition("==") for line in lock.read_text().splitlines() if "==" in line and line[0] != " "
    )
    return next((number for pinned, _, number in pins if _normal(pinned) == _normal(name)), MISSING)


def _normal(name: str) -> str:
    """Return a package's name as all its spellings have it: annotated_types, Annotated-Types."""
    return name.lower().replace("_", "-").replace(".", "-")


class _Files:
    """The files that jobs can import, as they were when they were read.

    What was reached is kept for the next command, as long as no file changes.
    """

    def __init__(self) -> None:
        self.program = Program(self._read, self._data_files)
        self._reached: dict[tuple[Node, ...], Reached] = {}
        self._seen: dict[Path, State] = {}
        self._added = _plugin_files()
        self._news = False
        self._load()

    def reach(self, roots: tuple[Node, ...]) -> Reached:
        """Return what definitions reach, as `Program.reach`."""
        if roots not in self._reached:
            self._reached[roots] = self.program.reach(self.found(roots), self.before_a_job if roots else ())
            self._news = True
        return self._reached[roots]

    def _all_files(self) -> dict[Path, State]:
        """Return the times and size of every file of the package and of plug-in folders."""
        files = [path for path in PACKAGE.rglob("*") if path.suffix != ".pyc" and path.is_file()]
        return {path: _state(path) for path in files} | _plugin_files()

    def _load(self) -> None:
        if not parsed_files.is_trusted():
            return
        with suppress(OSError, ValueError, KeyError, TypeError):
            kept = json.loads(REACHED.read_bytes())
            read = {Path(path): _state(Path(path)) for path, *state in kept["state"] if state}
            # A folder of plug-ins may hold anything, so only what was read counts there.
            files_now = read | self._all_files()
            if kept["state"] != _written(files_now):
                return
            self._seen = files_now
            texts = kept["texts"]
            for roots, digest, names, libraries, files in kept["reached"]:
                key = tuple((module, name) for module, name in roots)
                self._reached[key] = Reached(digest, {name: texts[name] for name in names}, frozenset(libraries), files)

    def save(self) -> None:
        """Keep what was reached for the next command, if its folder exists."""
        if not self._news or not parsed_files.is_trusted() or not REACHED.parent.is_dir():
            return
        self._news = False
        texts = {name: text for one in self._reached.values() for name, text in one.definitions.items()}
        reached = [
            [roots, one.digest, list(one.definitions), sorted(one.libraries), one.files]
            for roots, one in self._reached.items()
        ]
        content = {"state": _written(self._all_files() | self._seen), "texts": texts, "reached": reached}
        with suppress(OSError):
            whole_files.write_whole(REACHED, json.dumps(content).encode(), lasting=False)

    def found(self, nodes: Iterable[Node]) -> list[Node]:
        """Return where definitions are, without those that are not there."""
        places = (self.program.find(*node) for node in nodes)
        return [place for place in places if place is not None]

    @cached_property
    def before_a_job(self) -> list[Node]:
        """The effects of the imports in the process of a job that are done before the job."""
        return self.program.effects(self.found(BEFORE_A_JOB))

    def are_current(self) -> bool:
        """Return whether no file has changed since."""
        try:
            return self._added == _plugin_files() and all(_state(path) == state for path, state in self._seen.items())
        except OSError:
            return False

    def _read(self, name: str) -> definitions.Module | None:
        """Return the parts of a module of touchstone or of a plug-in folder; None if there is no such file."""
        path = _located(name)
        if path is None:
            return None
        self._seen[path] = _state(path)
        parser = f"definitions {parsed_files.version(__file__, definitions.__file__, definition_text.__file__)}"
        try:
            values = parsed_files.remembered(
                parser, path.read_bytes(), lambda source: definitions.parse(source).as_json()
            )
        except ValueError as error:  # a SyntaxError is a ValueError
            raise Unfollowed(f"{path}: {error}") from None
        return definitions.Module.from_json(values)

    def _data_files(self, module: str, text: str) -> dict[str, str]:
        """Return {path: digest} of the data files that a string names: beside the module, or below the package.

        For OWN_FILE these are all files of the module's folder of plug-ins; none for a module of the package.
        """
        path = _located(module)
        assert path is not None
        if text == OWN_FILE:
            beside = plugin_data.beside(path)
            self._seen |= {place: _state(place) for place in beside}  # that of a folder changes with the names in it
            return {name: file_digest(place) for place, name in beside.items() if place.is_file()}
        found = {}
        for folder in (path.parent, PACKAGE):
            place = folder / text
            files = [place] if place.is_file() else sorted(place.rglob("*")) if "/" in text and place.is_dir() else []
            for file in files:
                if file.is_file() and file.suffix not in (".py", ".pyc"):
                    self._seen[file] = _state(file)
                    found[file.relative_to(folder).as_posix()] = file_digest(file)
        return found


def _written(files: dict[Path, State]) -> list[list[object]]:
    """Return the state of files, and Python's version, as JSON holds it."""
    return [[str(path), *seen] for path, seen in sorted(files.items())] + [[sys.version]]


_read: list[_Files] = []  # at most one


def _current_files() -> _Files:
    if not _read or not _read[0].are_current():
        _read[:] = [_Files()]
    return _read[0]


def _state(path: Path) -> State:
    seen = path.stat()
    return seen.st_mtime_ns, seen.st_size, seen.st_ctime_ns  # after an edit, `touch -d` changes the first back


def _plugin_files() -> dict[Path, State]:
    return {path: _state(path) for folder in plugins.places()[1:] for path in plugins.python_files(folder)}


def _located(name: str) -> Path | None:
    """Return the file of a module of touchstone or of a plug-in folder; a name that somebody sent may be no module's."""
    if not all(part.isidentifier() for part in name.split(".")):
        return None
    place = "/".join(name.split(".")[1:])
    module = plugins.located(f"{place}.py", PACKAGE) if place else None
    return module or plugins.located(f"{place}/__init__.py".lstrip("/"), PACKAGE)


def save() -> None:
    """Write what files were parsed to and what was reached, if there is news and the folder exists; ignore its errors."""
    if _read:
        _read[0].save()
    if parsed_files.STORE.parent.is_dir() and (content := parsed_files.unsaved()) is not None:
        with suppress(OSError):
            whole_files.write_whole(parsed_files.STORE, content, lasting=False)
