"""Try the library by itself, without the packages of the workflow, on a Python of your choice: python tests/library.py 3.13

First it asks the package index for wheels of requirements-library.lock for every Python that is supported. Then it installs
the lock and a wheel of this clone into a new environment under build/, times the import, runs the examples of docs/python.md
in a folder with nothing but a study, and then the library's tests. It needs the network and 6 GB.
"""

from __future__ import annotations

import argparse
import ast
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from core_packages import CORE

ROOT = Path(__file__).parents[1]
LOCK = ROOT / "requirements-library.lock"
SUPPORTED = ("3.11", "3.12", "3.13", "3.14")
SLOWEST_IMPORT = 0.3  # seconds of `import touchstone`, beyond the start of Python
ROOMS = ("api", "assay", "attacks", "data/ingest", "detectors", "evaluations/statistics", "models/networks", "numerics",
         "records")  # fmt: skip
PRESENT = {*sys.stdlib_module_names, *CORE, "touchstone", "pytest", "_pytest", "hypothesis", "sklearn"}
IMPORTED = """
import sys, time
start = time.perf_counter()
import touchstone
print(time.perf_counter() - start, [name for name in sys.modules if name in ("torch", "numpy", "snakemake", "dvc")])
"""
EXAMPLES = """
import doctest, sys
sys.modules["sklearn"] = None  # it is here for the tests; the library does without
import torch
torch.set_num_threads(1)
done = doctest.testfile(sys.argv[1], module_relative=False)
print(f"docs/python.md: {done.attempted} examples, {done.failed} failed")
sys.exit(done.failed > 0 or done.attempted < 20)
"""


def main() -> int:
    """Try the library on one Python; return the exit code of its tests."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("python", choices=SUPPORTED)
    parser.add_argument("tests", nargs="*", help="for pytest, in place of the library's tests")
    options = parser.parse_args()
    for version in SUPPORTED:
        check_wheels(version)
    folder = ROOT / "build" / f"python{options.python}"
    python = environment(options.python, folder)
    check_import(python)
    check_examples(python)
    chosen = options.tests or library_tests()
    return subprocess.run([python, "-m", "pytest", "-p", "no:cacheprovider", *chosen], cwd=ROOT, env=clean()).returncode


def run(*command: str | Path, **options: object) -> None:
    """Run a command that must succeed, without its output if it does."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, **options)  # type: ignore[call-overload]
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}:\n{(done.stdout + done.stderr)[-3000:]}")


def clean() -> dict[str, str]:
    """Return the environment without a PYTHONPATH, so that the installed package is imported."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def check_wheels(version: str) -> None:
    """Stop unless every package of the lock has a wheel for this Python. Nothing is installed."""
    with tempfile.TemporaryDirectory() as target:
        platform = ("--python-version", version, "--python-platform", "x86_64-manylinux_2_28")
        run("uv", "pip", "install", "--dry-run", "--target", target, "--only-binary", ":all:", "--no-deps",
            "--require-hashes", *platform, "-r", LOCK)  # fmt: skip
    print(f"Python {version}: every package of {LOCK.name} has a wheel", flush=True)


def environment(version: str, folder: Path) -> Path:
    """Return the Python of a new environment that holds the lock and this clone, and nothing else."""
    python = folder / "venv/bin/python"
    if not (folder / "installed").is_file() or (folder / "installed").read_bytes() != LOCK.read_bytes():
        shutil.rmtree(folder / "venv", ignore_errors=True)
        run(interpreter(version), "-m", "venv", "--without-pip", folder / "venv")
        pip = (sys.executable, "-m", "pip", "--python", python)
        run(*pip, "install", "--no-deps", "--require-hashes", "-r", LOCK)
        (folder / "installed").write_bytes(LOCK.read_bytes())
    shutil.rmtree(folder / "wheel", ignore_errors=True)
    with tempfile.TemporaryDirectory() as copy:  # setuptools leaves its own files where it builds
        for name in ("src", "workflow", "profiles"):
            ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
            shutil.copytree(ROOT / name, Path(copy) / name, ignore=ignored)
        for name in ("pyproject.toml", "README.md", "LICENSE", "params.yaml", "requirements.lock"):
            shutil.copy(ROOT / name, copy)
        run(sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-w", folder / "wheel", copy)
    (wheel,) = (folder / "wheel").glob("*.whl")
    run(sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--force-reinstall", wheel)
    return python


def interpreter(version: str) -> Path:
    """Return this Python, from the PATH or from pyenv."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = [shutil.which(f"python{version}"), *sorted(pyenv.glob(f"{version}.*/bin/python{version}"))]
    for python in filter(None, found):
        if subprocess.run([python, "-c", ""], capture_output=True).returncode == 0:  # pyenv puts dummies on the PATH
            return Path(python)
    raise SystemExit(
        f"there is no Python {version} here: put python{version} on the PATH, or type pyenv install {version}"
    )


def check_import(python: Path) -> None:
    """Stop unless `import touchstone` is fast and loads neither torch nor the workflow."""
    with tempfile.TemporaryDirectory() as empty:
        tries = [
            subprocess.run([python, "-c", IMPORTED], cwd=empty, env=clean(), capture_output=True, text=True, check=True)
            for _ in range(5)
        ]
    seconds = min(float(done.stdout.split()[0]) for done in tries)
    print(f"import touchstone: {seconds:.3f} s", flush=True)
    if seconds > SLOWEST_IMPORT or not tries[0].stdout.endswith(" []\n"):
        raise SystemExit(f"import touchstone: at most {SLOWEST_IMPORT} s without torch, got {tries[0].stdout}")


def check_examples(python: Path) -> None:
    """Stop unless the examples of docs/python.md give what they say, from a folder with nothing but a study."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("params.yaml", "workflow/studies/tiny.yaml", "docs/python.md"):
            (Path(folder) / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, Path(folder) / name)
        done = subprocess.run([python, "-c", EXAMPLES, "docs/python.md"], cwd=folder, env=clean())
    if done.returncode:
        raise SystemExit(done.returncode)


def library_tests() -> list[str]:
    """Return the files of tests of the library's packages that import nothing which it does not require."""
    files = (path for room in ROOMS for path in sorted((ROOT / "tests/unit" / room).rglob("test_*.py")))
    helpers = {path.stem for path in (*ROOT.glob("tests/*.py"), *ROOT.glob("tests/oracles/*.py"))}
    return [str(path.relative_to(ROOT)) for path in files if imported(path) <= PRESENT | helpers]


def imported(path: Path) -> set[str]:
    """Return the top-level modules that a file imports anywhere."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level}
    return {name.partition(".")[0] for name in names}


if __name__ == "__main__":
    sys.exit(main())
