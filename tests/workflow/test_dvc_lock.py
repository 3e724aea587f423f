"""`touchstone dvc --check`: the committed lock is that of the committed code, settings and report, without any data."""

import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from command_server import dvc_server

ROOT = Path(__file__).parents[2]
OTHER = """
stages:
  mnist:
    wdir: ..
    cmd: .venv/bin/python -m snakemake --cores all --config study=mnist
    deps: [requirements.lock]
    params: [{workflow/studies/mnist.yaml: null}]
    outs: [data/mnist/]
"""


@pytest.fixture(scope="session")
def committed(made_once):
    """The repository with made-up data, recorded by DVC itself, and then without the data: as a fresh clone is."""
    return made_once("dvc_lock", record)


def record(project):
    root = project.root
    shutil.copytree(ROOT / "reports/digits", root / "reports/digits")
    (root / "workflow/dvc.yaml").write_text(OTHER)
    stages = yaml.safe_load((root / "dvc.yaml").read_text())["stages"]
    outs = ["data/mnist/", *(out for stage in stages.values() for entry in stage["outs"] for out in entry)]
    for out in outs:
        if not (root / out).exists():  # data, and the page of the report, which DVC stores too
            path = root / out / "file" if out.endswith("/") else root / out
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(out)
    for line in (
        "git init -q .",
        f"{sys.executable} -m dvc commit -q -f",
        "rm -r data reports/digits/report.html .dvc/cache .dvc/tmp",
    ):
        subprocess.run(line.split(" "), cwd=root, check=True, capture_output=True)


@pytest.fixture
def clone(committed, tmp_path):
    return committed.copy(tmp_path / "clone")


def check(project):
    known = replace(project, environment={"PYTHONPATH": str(project.root / "src")})
    return known.forked(["-m", "touchstone", "dvc", "--check"], check=False, server=dvc_server())


def test_a_clone_without_data_whose_lock_matches_passes_and_leaves_no_trace(clone):
    before = subprocess.run(["git", "status", "--short"], cwd=clone.root, capture_output=True).stdout
    (clone.root / "src/touchstone/__pycache__").mkdir(exist_ok=True)
    (clone.root / "src/touchstone/__pycache__/pgd.cpython-311.pyc").write_bytes(b"noise")

    done = check(clone)

    assert (done.returncode, done.stderr) == (0, "")
    assert subprocess.run(["git", "status", "--short"], cwd=clone.root, capture_output=True).stdout == before


def other_byte(path):
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))


def another_file(path):
    path.write_text("NEW = 1\n")


PACKAGE, RULES, LOCK, REPORT = "src/touchstone", "workflow/rules", "requirements.lock", "reports/digits"
FETCH = f"{PACKAGE}/pipeline/steps/fetch.py"
# Each check takes seconds, so files that are named apart are changed together. A change below src/touchstone is not.
CHANGED = [
    ([(f"{PACKAGE}/attacks/pgd.py", other_byte)], {"digits": {f"{PACKAGE} (modified)"}}),
    ([(f"{PACKAGE}/attacks/new.py", another_file)], {"digits": {f"{PACKAGE} (modified)"}}),
    (
        [
            (FETCH, other_byte),
            (f"{RULES}/data.smk", Path.unlink),
            (LOCK, other_byte),
            (f"{REPORT}/claims.csv", other_byte),
            (f"{REPORT}/ROOT", Path.unlink),
            (f"{REPORT}/figures/roc.svg", other_byte),
            (f"{REPORT}/metrics.json", other_byte),
        ],
        {
            "digits": {
                f"{PACKAGE} (modified)",
                f"{RULES} (modified)",
                f"{LOCK} (modified)",
                f"{REPORT}/claims.csv (modified)",
                f"{REPORT}/ROOT (deleted)",
                f"{REPORT}/figures (modified)",
                f"{REPORT}/metrics.json (modified)",
            },
            "digits_raw": {f"{FETCH} (modified)"},
        },
    ),
]


@pytest.mark.parametrize(("changes", "named"), CHANGED, ids=["a file", "a new file", "files of all kinds"])
def test_a_changed_byte_of_code_lock_or_report_is_named_with_what_to_do(clone, changes, named):
    for file, change in changes:
        change(clone.root / file)

    done = check(clone)

    assert done.returncode == 1
    lines = re.findall(r"(?m)^dvc\.lock: (\w+): (.*)$", done.stderr)
    assert {stage: set(words.split(", ")) for stage, words in lines} == named
    assert "make run STUDY=digits && .venv/bin/dvc commit -f" in done.stderr


def test_a_changed_setting_and_a_changed_command_are_named(clone):
    clone.edit("params.yaml", "batch_size: 256", "batch_size: 255")
    clone.edit("dvc.yaml", "snakemake --cores all\n", "snakemake --cores 1\n")

    done = check(clone)

    assert done.returncode == 1
    assert "dvc.lock: digits: " in done.stderr
    assert "params.yaml study (modified)" in done.stderr
    assert "command (modified)" in done.stderr


def test_a_comment_among_the_settings_changes_nothing(clone):
    clone.edit("params.yaml", "batch_size: 256", "batch_size: 256  # so many")

    assert check(clone).returncode == 0


def test_the_stages_of_other_studies_are_checked_too(clone):
    clone.edit("workflow/studies/mnist.yaml", "batch_size: 250", "batch_size: 251")

    done = check(clone)

    assert done.returncode == 1
    assert "workflow/dvc.lock: mnist: workflow/studies/mnist.yaml study (modified)" in done.stderr
    assert "make run STUDY=mnist && .venv/bin/dvc commit -f workflow/dvc.yaml:mnist" in done.stderr
    assert "STUDY=digits" not in done.stderr


def test_a_stage_that_was_never_committed_is_named(clone):
    (clone.root / "dvc.lock").unlink()

    done = check(clone)

    assert done.returncode == 1
    assert "dvc.lock: digits: " in done.stderr


@pytest.mark.parametrize(("target", "does"), [("edition", True), ("check", False), ("test", False)])
def test_only_an_edition_is_compared_with_its_code(target, does):
    done = subprocess.run(["make", "--dry-run", target], cwd=ROOT, capture_output=True, text=True, check=True)

    assert (".venv/bin/touchstone dvc --check" in done.stdout) == does
    assert ("-m edition tests/edition" in done.stdout) == does
