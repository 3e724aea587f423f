"""`make quick` runs the test files that reach a changed file by imports, the nearest first, and starts no whole study."""

import runpy
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def quick():
    return runpy.run_path(str(ROOT / "tests/quick.py"))


def test_the_tests_of_a_changed_module_come_first(quick):
    tests = quick["touched"]({ROOT / "src/touchstone/pipeline/jobs/processes.py"})

    assert tests[0] == "tests/unit/pipeline/jobs/test_processes.py"
    assert "tests/unit/pipeline/orchestration/test_recovery.py" in tests  # by way of recovery.py
    assert "tests/unit/test_papers.py" not in tests
    assert len(tests) <= quick["MOST"]


def test_a_changed_test_file_is_run(quick):
    path = ROOT / "tests/unit/test_papers.py"

    assert quick["touched"]({path}) == ["tests/unit/test_papers.py"]


def test_tests_that_start_whole_studies_are_left_out(quick):
    assert quick["starts_studies"](ROOT / "tests/workflow/test_reruns.py")
    assert not quick["starts_studies"](Path(__file__))


def test_what_differs_from_a_commit_is_found(quick, tmp_path, monkeypatch):
    changed = quick["changed"]
    monkeypatch.setitem(changed.__globals__, "ROOT", tmp_path)
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.org"]
    for name in ("kept.py", "edited.py"):
        (tmp_path / name).write_text("1")
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "one"]):
        subprocess.run([*git, *words], cwd=tmp_path, check=True)
    (tmp_path / "edited.py").write_text("2")
    (tmp_path / "new.py").write_text("3")

    assert changed("HEAD") == {tmp_path / "edited.py", tmp_path / "new.py"}
