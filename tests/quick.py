"""Run the unit tests that a change touches: `make quick`.

A test file is run if it, or a module of touchstone that it reaches by imports, differs from the commit given as argument
(HEAD: what is not committed yet). Tests that start whole studies are left to `make ci`, so that this takes a minute.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
ALWAYS = "tests/unit/test_imports.py"
# Fixtures of a study or of a copy of the repository.
STUDY_FIXTURES = {"tiny", "bare", "copied", "again", "clone", "made_once", "with_one_figure", "ran_with_one_figure"}
MOST = 20  # test files: about a minute on two cores; a change that touches more is a case for `make test`


def changed(commit: str) -> set[Path]:
    """Return the files that differ from a commit, and those that git does not track yet."""
    names = set[str]()
    for line in (["diff", "--name-only", commit], ["ls-files", "--others", "--exclude-standard"]):
        names |= set(
            subprocess.run(["git", *line], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
        )
    return {ROOT / name for name in names if name}


def file_of(name: str) -> Path | None:
    """Return the file of a module of this repository: touchstone.a.b, or the benchmarks that tests import."""
    for folder in ("src", "benchmarks"):
        stem = ROOT / folder / name.replace(".", "/")
        for path in (stem.with_suffix(".py"), stem / "__init__.py"):
            if path.is_file():
                return path
    return None


def imported(tree: ast.AST) -> Iterator[str]:
    """Yield the names that a file imports, at its head or inside a function."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def imports(path: Path) -> frozenset[Path]:
    """Return the files of this repository that a file imports itself."""
    return frozenset(filter(None, map(file_of, imported(ast.parse(path.read_text())))))


def distance(test: Path, targets: set[Path]) -> int | None:
    """Return over how many imports a test file reaches a changed file; 0 if it changed itself, None if it reaches none."""
    layer, seen, steps = {test}, set[Path](), 0
    while layer:
        if layer & targets:
            return steps
        seen |= layer
        layer = {other for path in layer for other in imports(path)} - seen
        steps += 1
    return None


def starts_studies(test: Path) -> bool:
    """Return whether a test of the file asks for a whole study, or for a copy of the repository."""
    functions = (node for node in ast.walk(ast.parse(test.read_text())) if isinstance(node, ast.FunctionDef))
    return any(STUDY_FIXTURES & {argument.arg for argument in function.args.args} for function in functions)


def touched(targets: set[Path]) -> list[str]:
    """Return the test files to run, those nearest to the change first, at most MOST."""
    folders = (ROOT / "tests/unit", ROOT / "tests/benchmarks")
    tests = [path for folder in folders for path in folder.rglob("test_*.py") if not starts_studies(path)]
    near = sorted(
        (steps, str(path.relative_to(ROOT))) for path in tests if (steps := distance(path, targets)) is not None
    )
    return [name for _, name in near[:MOST]]


def main() -> int:
    """Run the tests; return pytest's exit code."""
    commit = sys.argv[1] if len(sys.argv) > 1 else "HEAD"
    tests = touched({path for path in changed(commit) if path.suffix == ".py"})
    print(f"{len(tests)} test files are touched by what differs from {commit} (at most {MOST} are run)", flush=True)
    line = [sys.executable, "-m", "pytest", "-n", "2", "--dist", "loadfile", "-x", *dict.fromkeys([*tests, ALWAYS])]
    return subprocess.run(line, cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
