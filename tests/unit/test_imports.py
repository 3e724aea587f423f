"""Who may import whom (style 2.3): drawn with ast, and no arrow may point upward."""

import ast
from pathlib import Path

import pytest

from touchstone import provenance

PACKAGE = Path(__file__).parents[2] / "src" / "touchstone"
PLAN = {"plan", "plan_batches", "plan_parts", "plan_questions", "plan_shards", "plan_tasks"}
PARAMS = {
    "devices",
    "numerics",
    "params",
    "sections",
    "settings_absent",
    "settings_checks",
    "settings_files",
    "settings_limits",
    "settings_reading",
    "settings_values",
}
PLANNING = {"contracts", "criteria", "digests", "registry", "provenance", *PARAMS, *PLAN}
DOORS = {
    "__main__",
    "assay",
    "auditing",
    "cache",
    "chain_picture",
    "collecting",
    "commits",
    "comparing",
    "completing",
    "costs",
    "crates",
    "evaluate",
    "git",
    "jobs",
    "leakage",
    "listing",
    "own_models",
    "processes",
    "progress",
    "recomputation",
    "recovering",
    "restoring",
    "rules",
    "run_records",
    "running",
    "snakemake_patches",
    "standing",
    "telling",
    "tracing",
    "versioning",
    "warm",
    "warm_server",
}
TORCH_FREE_FOLDERS = ("sources", "data", "evaluations", "reporting")
COMPONENTS = (
    "sources",
    "data",
    "models",
    "training",
    "pretrained",
    "attacks",
    "adaptive",
    "margins",
    "detectors",
    "evaluations",
    "reporting",
)


def imports(path: Path, everywhere: bool = True) -> set[str]:
    """The modules that a file imports when it runs; without `everywhere`, when it is imported."""
    tree = ast.parse(path.read_text())
    if not everywhere:
        tree.body = [node for node in tree.body if not isinstance(node, ast.FunctionDef | ast.ClassDef)]
    return set(provenance.imported(tree))


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def own(path: Path) -> set[str]:
    """The package's modules that a file imports, as paths without suffix: attacks/pgd."""
    names = {
        name.removeprefix("touchstone.").replace(".", "/") for name in imports(path) if name.startswith("touchstone.")
    }
    return {name for name in names if (PACKAGE / f"{name}.py").is_file()}


def reached(name: str, seen: set[str] | None = None) -> set[str]:
    seen = set() if seen is None else seen
    for other in own(PACKAGE / f"{name}.py") - seen:
        seen.add(other)
        reached(other, seen)
    return seen


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_nothing_below_the_doors_imports_a_door(path):
    name = path.relative_to(PACKAGE).with_suffix("").as_posix()
    if name in DOORS:
        return

    assert not own(path) & (DOORS | PLAN | PARAMS) - (PLAN | PARAMS if name in PLAN | PARAMS else set())


@pytest.mark.parametrize("name", sorted(PLANNING))
def test_planning_never_imports_torch_numpy_or_a_component(name):
    wanted = {name} | reached(name)

    for module in wanted:
        assert not {"torch", "numpy", "pandas"} & {
            found.split(".")[0] for found in imports(PACKAGE / f"{module}.py", everywhere=False)
        }
    assert not {module for module in wanted if module.split("/")[0] in COMPONENTS}


@pytest.mark.parametrize("folder", COMPONENTS)
def test_components_import_neither_steps_nor_each_other(folder):
    for path in (PACKAGE / folder).glob("*.py"):
        assert not {name for name in own(path) if name.split("/")[0] in {"steps", *COMPONENTS}}, path.name


@pytest.mark.parametrize(
    "name", [*TORCH_FREE_FOLDERS, "steps/evaluate", "steps/report", "steps/fetch", "steps/prepare"]
)
def test_data_evaluation_and_reporting_never_reach_torch(name):
    paths = sorted((PACKAGE / name).glob("*.py")) if (PACKAGE / name).is_dir() else [PACKAGE / f"{name}.py"]

    for path in paths:
        start = path.relative_to(PACKAGE).with_suffix("").as_posix()
        for module in {start} | reached(start):
            assert "torch" not in {
                found.split(".")[0] for found in imports(PACKAGE / f"{module}.py", everywhere=False)
            }, module


def test_the_check_sees_an_upward_arrow():
    assert "plan" in own(PACKAGE / "jobs.py")
    assert "records" in reached("jobs")
