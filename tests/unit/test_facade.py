"""`import touchstone`: fast, in any folder, and everything that it offers is there."""

import ast
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import touchstone
from module_imports import imported
from touchstone import plugins
from touchstone.pipeline.planning.parts import STEPS
from touchstone.provenance import code

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "numpy", "yaml", "touchstone.registry")


def run(source, folder):
    return subprocess.run(
        [sys.executable, "-c", source],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT / "src"), "PATH": "", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_the_import_loads_neither_torch_nor_a_study_and_writes_nothing(tmp_path):
    done = run(f"import sys, touchstone; print([name for name in {HEAVY} if name in sys.modules])", tmp_path)

    assert (done.stdout, done.stderr) == ("[]\n", "")
    assert list(tmp_path.iterdir()) == []


def test_every_name_is_offered_outside_a_project(tmp_path):
    source = "import touchstone; [getattr(touchstone, name) for name in touchstone.__all__]; print(dir(touchstone))"

    done = run(source, tmp_path)

    assert done.stderr == "" and set(touchstone.__all__) <= set(ast.literal_eval(done.stdout))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", touchstone._ORIGINS)
def test_a_name_is_the_object_in_the_module_that_defines_it(name):
    module, attribute = touchstone._ORIGINS[name]

    offered = getattr(touchstone, name)

    assert offered is getattr(importlib.import_module(f"touchstone.{module}"), attribute)
    assert inspect.getdoc(offered)


def test_type_checkers_see_what_is_offered():
    tree = ast.parse((ROOT / "src/touchstone/__init__.py").read_text())
    (block,) = (node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    seen = {
        alias.asname: (node.module.removeprefix("touchstone."), alias.name)
        for node in block.body
        for alias in node.names
    }

    assert seen == touchstone._ORIGINS
    assert touchstone.__all__ == sorted({*touchstone._ORIGINS, "__version__"})


def test_another_name_is_refused():
    with pytest.raises(AttributeError, match="has no attribute 'evaluat'"):
        touchstone.evaluat  # noqa: B018


def test_submodules_are_still_imported_by_name():
    from touchstone import registry

    assert inspect.ismodule(registry)


def test_no_module_or_package_has_a_name_that_is_offered():
    package = ROOT / "src/touchstone"

    assert {path.stem for path in package.iterdir()}.isdisjoint(touchstone.__all__)


def test_the_facade_is_in_no_code_digest_but_for_the_version_that_a_report_shows():
    functions = set(touchstone.__all__) - {"__version__"}
    for step in STEPS:
        assert code.code_of(step, {}).definitions.keys().isdisjoint(functions)
    for path in (ROOT / "src/touchstone").rglob("*.py"):
        names = set(imported(ast.parse(path.read_text())))
        assert names.isdisjoint({f"touchstone.{name}" for name in functions}), path


def test_a_plugin_helper_cannot_hide_a_name_that_is_offered(tmp_path):
    (tmp_path / "evaluate.py").write_text("")

    with pytest.raises(
        ValueError, match=r"evaluate\.py: the name evaluate belongs to touchstone's API; rename your file"
    ):
        plugins.use([tmp_path])
