"""No private part of Snakemake or of the standard library is read or written."""

import ast
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = [
    *sorted((ROOT / "src").rglob("*.py")),
    *sorted((ROOT / "workflow").rglob("*.smk")),
    ROOT / "workflow/Snakefile",
]
DOCUMENTED = {"os._exit"}  # public, in spite of its name
OTHERS = {*sys.stdlib_module_names, "snakemake"} - {"__future__"}


def private_parts(text):
    """The private names that a Python file takes from these packages: imports, and attributes of modules and their parts."""
    tree, ours, found = ast.parse(text), set(), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            ours |= {(one.asname or one.name).partition(".")[0] for one in node.names if top(one.name) in OTHERS}
        elif isinstance(node, ast.ImportFrom) and not node.level and top(node.module or "") in OTHERS:
            ours |= {one.asname or one.name for one in node.names}
            found |= {f"{node.module}.{one.name}" for one in node.names if is_private(one.name)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr):
            base = node.value
            while isinstance(base, ast.Attribute):
                base = base.value
            if isinstance(base, ast.Name) and base.id in ours:
                found.add(ast.unparse(node))
    return found - DOCUMENTED


def top(name):
    return name.partition(".")[0]


def is_private(name):
    return name.startswith("_") and not name.endswith("__")


def test_every_file_uses_only_public_parts():
    found = {}
    for path in FILES:
        text, name = path.read_text(), str(path.relative_to(ROOT))
        # Snakemake's own words around lines of Python
        found[name] = private_parts(text) if path.suffix == ".py" else set(re.findall(r"workflow\._\w*", text))

    assert len(found) > 100
    assert {name: parts for name, parts in found.items() if parts} == {}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("import atexit\natexit._clear()", {"atexit._clear"}),
        ("import weakref as w\nw.finalize._registry.clear()", {"w.finalize._registry"}),
        ("from snakemake.workflow import Workflow\nWorkflow._x", {"Workflow._x"}),
        ("from runpy import _run_module_as_main", {"runpy._run_module_as_main"}),
        ("import sys\nsys.__stdout__\nself._own", set()),
    ],
)
def test_the_test_finds_private_parts(text, found):
    assert private_parts(text) == found
