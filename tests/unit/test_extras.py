"""The library needs few packages: what only some uses need is an extra, and a missing one is named."""

import ast
import re
import sys
import tomllib
from functools import cache
from importlib.metadata import requires
from pathlib import Path

import pytest

from core_packages import CORE
from module_imports import imported
from touchstone import extras
from touchstone.__main__ import main

PACKAGE = Path(extras.__file__).parent
PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
LIBRARY = (
    "api",
    "assay",
    "numerics",
    "attacks/adversary",
    "attacks",
    "attacks/adaptive",
    "attacks/margins",
    "models/networks",
    "data/ingest",
)
ENTRIES = (
    "commands/assay",
    "commands/list",
    "commands/_component_check",
    "commands/job",
    "commands/run",
    "pipeline/jobs/run",
    "pipeline/orchestration/workflow_functions",
    "pipeline/orchestration/snakemake_run",
)


@cache
def imports(path, lazy):
    """The modules that a file imports, or only those that it imports when it is imported itself."""
    tree = ast.parse(path.read_text())
    if not lazy:
        tree.body = [node for node in tree.body if not isinstance(node, ast.FunctionDef | ast.ClassDef)]
    return frozenset(imported(tree))


def names(requirements):
    return {re.split(r"[\s<>=!;\[]", requirement)[0].lower() for requirement in requirements}


def top_level(name):
    """The modules that a module imports when it is imported, and those that they import."""
    seen, waiting = set(), {name}
    while waiting:
        name = waiting.pop()
        seen.add(name)
        modules = imports(PACKAGE / f"{name}.py", lazy=False)
        own = {module.removeprefix("touchstone.").replace(".", "/") for module in modules}
        waiting |= {module for module in own if (PACKAGE / f"{module}.py").is_file()} - seen
    return seen


def test_the_library_has_at_most_nine_dependencies_beside_those_of_torch_and_pydantic():
    others = {"torch"} | {name for one in ("torch", "pydantic") for name in names(required(one))}

    assert len(names(PROJECT["dependencies"]) - others) <= 9


def required(package):
    return [line for line in requires(package) if "extra ==" not in line]


def test_every_package_that_is_imported_is_a_dependency_or_of_an_extra():
    used = {module.partition(".")[0] for path in PACKAGE.rglob("*.py") for module in imports(path, lazy=True)}

    told = {"onnx2torch", "pytorch_ood", "robustbench", "torchattacks"}  # whoever uses one is told to install it
    assert used - CORE - extras.EXTRAS.keys() - set(sys.stdlib_module_names) - {"touchstone"} - told == set()
    assert set(PROJECT["optional-dependencies"]) == {*extras.PACKAGES, "dev"}


def test_the_library_imports_no_package_of_an_extra():
    files = [path.relative_to(PACKAGE).with_suffix("") for room in LIBRARY for path in (PACKAGE / room).glob("*.py")]
    found = {
        (name, module)
        for entry in {*(file.as_posix() for file in files if file.name != "__init__"), *ENTRIES}
        for name in top_level(entry)
        for module in imports(PACKAGE / f"{name}.py", lazy=False)
        if module.partition(".")[0] in extras.EXTRAS
    }

    assert found == set()


def test_a_missing_package_is_named_with_its_extra(monkeypatch, capsys, tmp_path):
    monkeypatch.setitem(sys.modules, "jinja2", None)

    assert main(["new", "detector", "mine", "--folder", str(tmp_path)]) == 1
    assert capsys.readouterr().err == (
        "touchstone: touchstone new needs the package jinja2, which is not installed: pip install 'FILE.whl[reports]' with"
        " the release's wheel, or in a clone pip install '.[reports]'\n"
    )


def test_a_package_of_no_extra_is_not_explained():
    with pytest.raises(ModuleNotFoundError, match="nowhere"), extras.explained("this"):
        import nowhere  # noqa: F401
