"""`touchstone check FILE.py`: the tests of one component, and of no other."""

import os
import shutil
from pathlib import Path

import pytest

from touchstone.__main__ import main
from touchstone.commands import _component_check
from touchstone.plugins import PACKAGE

CONFTEST = Path(__file__).parents[2] / "properties/conftest.py"
TESTS = """import pytest


def check_the_pgd_step(name):
    assert name == "pgd"


@pytest.mark.parametrize("check", [check_the_pgd_step], ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", ["apgd", "minimal_pgd", "pgd"])
def test_every_attack_keeps_the_contract(name, check):
    check(name)


@pytest.mark.parametrize("mutant", ["pgd", "step"])
def test_the_contract_rejects(mutant):
    raise AssertionError("of no component")
"""


@pytest.fixture
def tests(tmp_path, monkeypatch):
    """Tests of three attacks, of which only pgd passes."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "tests/properties"
    folder.mkdir(parents=True)
    shutil.copy(CONFTEST, folder)
    (folder / "test_attacks.py").write_text(TESTS)
    return folder / "test_attacks.py"


@pytest.mark.parametrize(
    ("name", "passes", "words"),
    [
        ("pgd", True, "1 promises kept, 0 broken"),
        ("apgd", False, "0 promises kept, 1 broken"),
        ("step", False, "no test takes a component called step"),
    ],
)
def test_a_component_is_judged_by_its_own_tests(tests, capsys, monkeypatch, name, passes, words):
    monkeypatch.setenv("PYTEST_ADDOPTS", "--no-such-option")
    assert _component_check._passes(tests, name, dict(os.environ), trace=False) == passes
    assert words in capsys.readouterr().out


def test_a_missing_pytest_is_no_broken_promise(tests, capsys, monkeypatch):
    monkeypatch.setattr(_component_check, "find_spec", {}.get, raising=False)

    assert main(["check", str(PACKAGE / "attacks/pgd.py")]) == 1

    printed = capsys.readouterr()
    assert "check: needs pytest, which is not installed: make .venv/development" in printed.err
    assert "does not keep" not in printed.out


@pytest.mark.parametrize(
    ("is_clone", "words"),
    [(True, "components of pretrained/ have no contract tests"), (False, "run this in a clone of")],
)
def test_a_kind_without_contract_tests_is_not_a_missing_clone(tmp_path, request, capsys, monkeypatch, is_clone, words):
    if is_clone:
        request.getfixturevalue("tests")
    monkeypatch.chdir(tmp_path)

    assert main(["check", str(PACKAGE / "models/pretrained/program_file.py")]) == 1

    assert words in capsys.readouterr().err
