"""Who may import whom: a package imports only from lower floors, a component only its folder's own helpers."""

import ast
from collections.abc import Set
from functools import cache
from pathlib import Path

import pytest

from module_imports import imported
from touchstone.plugins import place_of
from touchstone.registry import FOLDERS

PACKAGE = Path(__file__).parents[2] / "src" / "touchstone"
FLOORS = [  # lowest first
    {"contracts", "digests", "extras", "messages", "parsed_files", "plugins"},
    {"numerics", "records", "signatures", "wrapped_classes"},
    {"data", "evaluations", "provenance", "registry"},
    {"claims", "models"},
    {"attacks", "report", "settings"},
    {"api", "detectors", "training"},
    {"pipeline", "testing"},
    {"assay"},
    {"audit"},
    {"commands"},
    {"__main__"},
]
INNER = {  # the parts of a room, lowest first; what lies in the room itself is ""
    "attacks": ("adversary", "", "adaptive", "margins"),
    "audit": ("chain", ""),
    "data": ("ingest", "sources", ""),
    "evaluations": ("statistics", ""),
    "models": ("networks", "pretrained", ""),
    "pipeline": ("planning", "steps", "jobs", "orchestration"),
    "report": ("", "figures"),
    "settings": ("", "schemas"),
}
LEVEL = {room: level for level, rooms in enumerate(FLOORS) for room in rooms}
COMPONENTS = tuple(map(place_of, FOLDERS))
TORCH_FREE = (
    *("data", "evaluations", "report/figures"),
    *(f"pipeline/steps/{step}" for step in ("evaluate", "report", "fetch", "prepare")),
)
PLANNING = (
    "parsed_files",
    "signatures",
    "registry",
    "claims/criteria",
    "settings",
    "pipeline/planning",
)
LARGEST_ROOT, LONGEST_FILE = 12, 320


@cache
def imports(path: Path, everywhere: bool = True) -> frozenset[str]:
    """The modules that a file imports when it runs; without `everywhere`, when it is imported."""
    tree = ast.parse(path.read_text())
    if not everywhere:
        tree.body = [node for node in tree.body if not isinstance(node, ast.FunctionDef | ast.ClassDef)]
    return frozenset(imported(tree))


@cache
def own(path: Path) -> frozenset[str]:
    """The package's modules that a file imports, as paths without suffix: attacks/pgd."""
    names = {
        name.removeprefix("touchstone.").replace(".", "/") for name in imports(path) if name.startswith("touchstone.")
    }
    return frozenset(name for name in names if (PACKAGE / f"{name}.py").is_file())


def reached(name: str, seen: set[str] | None = None) -> set[str]:
    seen = set() if seen is None else seen
    for other in own(PACKAGE / f"{name}.py") - seen:
        seen.add(other)
        reached(other, seen)
    return seen


def named(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").as_posix()


def modules() -> list[Path]:
    """The modules of the package; a paper's own code is a plugin."""
    paths = (path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")
    return sorted(path for path in paths if PACKAGE / "papers" not in path.parents)


def modules_of(name: str) -> list[Path]:
    return sorted((PACKAGE / name).rglob("[a-z]*.py")) if (PACKAGE / name).is_dir() else [PACKAGE / f"{name}.py"]


def room(name: str) -> str:
    """The room that holds a module, pipeline for pipeline/planning/plan; a root module is its own."""
    return name.split("/")[0]


def part(name: str) -> str:
    """The package that holds a module: pipeline/planning for pipeline/planning/plan."""
    return name.rpartition("/")[0]


def rank(name: str) -> int:
    """The place of a module's part within its room."""
    return INNER[room(name)].index(part(name).partition("/")[2])


def is_component(name: str) -> bool:
    """Whether a module lies in a component folder; report has the page beside its figures, which are components."""
    return part(name) in COMPONENTS


def upward(name: str, imported: Set[str]) -> set[str]:
    """What a module imports from its own floor or above, its own package apart."""
    return {other for other in imported if room(other) != room(name) and LEVEL[room(other)] >= LEVEL[room(name)]}


def test_a_module_imports_only_from_lower_floors():
    found = {named(path): upward(named(path), own(path)) for path in modules()}

    assert {name: others for name, others in found.items() if others} == {}


def test_every_room_has_a_floor():
    assert {room(named(path)) for path in modules()} == set(LEVEL)


@pytest.mark.parametrize("name", INNER)
def test_a_part_of_a_room_imports_only_from_the_parts_below(name):
    parts = {part(named(path)).partition("/")[2] for path in modules() if room(named(path)) == name}
    below = [
        (module, other)
        for module in map(named, modules())
        for other in own(PACKAGE / f"{module}.py")
        if room(module) == room(other) == name and part(module) != part(other) and rank(other) > rank(module)
    ]

    assert parts - set(INNER[name]) == set()
    assert below == []


def test_only_the_rooms_of_the_list_have_parts():
    assert {room(named(path)) for path in modules() if named(path).count("/") > 1} == set(INNER)


def test_the_root_is_small_and_each_package_says_what_lives_there():
    packages = {path.parent for path in modules()} - {PACKAGE}
    charters = {
        named(folder): ast.get_docstring(ast.parse((folder / "__init__.py").read_text())) for folder in packages
    }

    assert len(list(PACKAGE.glob("*.py"))) <= LARGEST_ROOT
    assert {
        name
        for name, charter in charters.items()
        if not charter or charter.count(". ") != 1 or "must not" not in charter
    } == set()


def test_no_file_is_longer_than_a_reader_can_hold():
    lines = {named(path): len(path.read_text().splitlines()) for path in PACKAGE.rglob("*.py")}

    assert {name: count for name, count in lines.items() if count > LONGEST_FILE} == {}


@pytest.mark.parametrize("name", PLANNING)
def test_planning_never_imports_torch_numpy_or_a_component(name):
    for path in modules_of(name):
        wanted = {named(path)} | reached(named(path))
        for module in wanted:
            at_import = imports(PACKAGE / f"{module}.py", everywhere=False)
            assert not {"torch", "numpy", "pandas"} & {other.split(".")[0] for other in at_import}, module
        assert not {module for module in wanted if is_component(module)}


@pytest.mark.parametrize("folder", COMPONENTS)
def test_components_import_neither_steps_nor_each_other(folder):
    for path in (PACKAGE / folder).glob("*.py"):
        for name in own(path):
            assert part(name) != "pipeline/steps", path.name
            assert not is_component(name) or name.startswith(f"{folder}/_"), f"{path.name} imports {name}"


@pytest.mark.parametrize("name", TORCH_FREE)
def test_data_evaluation_and_figures_never_reach_torch(name):
    for path in modules_of(name):
        for module in {named(path)} | reached(named(path)):
            at_import = imports(PACKAGE / f"{module}.py", everywhere=False)
            assert "torch" not in {other.split(".")[0] for other in at_import}, module


def test_no_module_imports_the_compiler_of_torch_when_it_is_imported():
    """It takes as long as torch itself."""
    compilers = ("torch._dynamo", "torch._inductor", "torch._export")

    for path in modules():
        assert not [name for name in imports(path, everywhere=False) if name.startswith(compilers)], named(path)


def test_the_check_sees_an_upward_arrow():
    assert upward("report/page", {"records/nouns", "pipeline/jobs/run"}) == {"pipeline/jobs/run"}
    assert rank("pipeline/planning/plan") < rank("pipeline/jobs/run")
    assert "pipeline/planning/parts" in own(PACKAGE / "pipeline/jobs/run.py") | own(PACKAGE / "pipeline/jobs/job.py")
    assert "records/nouns" in reached("pipeline/jobs/run")
