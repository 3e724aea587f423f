"""What `touchstone check FILE.py` does: run the contract tests of its kind on one component."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from importlib.util import find_spec
from pathlib import Path

from touchstone import plugins, registry
from touchstone.messages import say

TESTS = Path("tests/properties")
SAME_TYPE = "convert the state to the type of the data: state[...].to(features)"
NO_GRAD = (
    "attacks are called under torch.no_grad(): take gradients with loss_and_input_gradient of"
    " touchstone.attacks.adversary.losses, or inside `with torch.enable_grad():`"
)
NO_TESTS = 5  # pytest's exit code if it ran no test
HINTS = {  # words of an error -> what helps
    "detectors": {"same dtype": SAME_TYPE, "but found Double": SAME_TYPE},
    "attacks": {"does not require grad": NO_GRAD},
}


def check(file: str, trace: bool) -> int:
    """Check the component's signature, then run the contract tests of its folder.

    Each failed test is printed as one sentence.

    Args:
        file: its path, such as mine/detectors/NAME.py.
        trace: whether to print what failed in pytest's own words.

    Returns:
        0 if all pass, else 1.

    Raises:
        ValueError: the folder is that of no kind, or of one without contract tests, or pytest is missing.
        FileNotFoundError: there is no such component, or this is no clone of touchstone.
    """
    path = Path(file)
    kind, name, folder = path.parent.name, path.stem, path.resolve().parent.parent
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    if kind not in registry.FOLDERS:
        raise ValueError(
            f"{path}: is in {kind}/; its kind is the name of its folder, one of {', '.join(registry.FOLDERS)}"
        )
    plugin = plugins.PACKAGE not in path.resolve().parents
    plugins.use([folder] if plugin else [])
    component = registry.component(kind, name)
    say(f"{kind}/{name}: takes {', '.join(component.call.data)}; settings {', '.join(component.settings) or 'none'}")
    tests = TESTS / f"test_{kind}.py"
    if not TESTS.is_dir():
        raise FileNotFoundError(f"{TESTS}: no such folder here; run this in a clone of touchstone")
    if not tests.is_file():
        raise ValueError(
            f"{path}: components of {kind}/ have no contract tests; try it in a study: touchstone check STUDY"
        )
    if find_spec("pytest") is None:
        raise ValueError("check: needs pytest, which is not installed: make .venv/development")
    environment = os.environ | ({"TOUCHSTONE_PLUGINS": str(folder)} if plugin else {})
    passed = _passes(tests, name, environment, trace)
    say(f"{kind}/{name}: {'keeps the contract' if passed else 'does not keep the contract'}")
    return int(not passed)


def _passes(tests: Path, name: str, environment: dict[str, str], trace: bool) -> bool:
    """Run the tests that take a component, and print what failed; without such a test it does not pass.

    PYTEST_ADDOPTS does not count: a user's `-k` must not leave tests out.
    """
    environment = {name: value for name, value in environment.items() if name != "PYTEST_ADDOPTS"}
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results.xml"
        command = [sys.executable, "-m", "pytest", str(tests), "-q", "--component", name, "-p", "no:cacheprovider"]
        command += [f"--junitxml={results}"]
        done = subprocess.run(command, env=environment, capture_output=not trace, text=True)
        if done.returncode == NO_TESTS:
            print(f"{tests}: no test takes a component called {name}")
        elif not trace:
            hints = HINTS.get(tests.stem.removeprefix("test_"), {})
            print(_sentences(results, hints) if results.is_file() else done.stdout + done.stderr)
    return done.returncode == 0


def _sentences(results: Path, hints: dict[str, str]) -> str:
    """Return how many tests passed, and for each that failed its name as a sentence and its error."""
    lines, passed, failed = [], 0, 0
    for test in ElementTree.parse(results).iter("testcase"):
        outcomes = (test.find(outcome) for outcome in ("failure", "error"))
        failure = next((element for element in outcomes if element is not None), None)
        if failure is None:
            passed += 1
            continue
        failed += 1
        sentence, _, case = test.get("name", "").removeprefix("test_").partition("[")
        sentence = sentence.replace("_", " ") + (f": {case.removesuffix(']')}" if case else "")
        error = (failure.get("message") or "").strip().splitlines() or ["no reason given"]
        lines.append(f"  - {sentence}\n      {error[0]}")
        lines += [f"      Hint: {hint}" for words, hint in hints.items() if words in " ".join(error)]
    return "\n".join([f"{passed} promises kept, {failed} broken", *lines])
