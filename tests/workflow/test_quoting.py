"""Paths and names from the command line reach each program as they were typed: no shell, no make, no Snakemake runs them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from snakemake.cli import parse_config

from projects import Project
from touchstone.audit.chain import comparison
from touchstone.pipeline.orchestration.snakemake_run import configuration

ROOT = Path(__file__).parents[2]
HOSTILE = [
    "a b", "a'b", 'a"b', "'a'", '"a"', "$(touch made)", "`touch made`", "$HOME", "a;touch made", "a&b|c>made", "a\\b",
    "a\nb", "a\tb", "-a", "--study", "é😀", "{wildcards}", "{", "}", "{{", "{STUDY}", "a #b", "a: b", "[a]", "*", "~", "!a", "%s",
]  # fmt: skip
EVERY = '- $(touch made) `touch made` a\'b "c" {wildcards} { é😀 #: [*] \\ ;touch made;\nnew'


@pytest.mark.parametrize("name", HOSTILE)
def test_snakemake_reads_the_name_of_a_study_as_it_was_typed(name):
    assert parse_config(configuration(f"{name}/few.yaml")[1:]) == {"study": f"{name}/few.yaml"}


def test_a_study_whose_path_holds_what_shells_and_snakemake_read_is_checked_and_runs(clone, study):
    path = study(EVERY)

    checked = clone.run(clone.touchstone("check", "--", path))
    done = clone.run(clone.touchstone("run", "--cores", "1", "--", path))

    assert "to run       4 of 4 jobs" in checked.stdout
    assert done.stdout.splitlines()[-1].startswith("4 jobs in ")
    assert (clone.root / "reports/few/report.html").is_file()
    assert list(clone.root.rglob("made")) == []


@pytest.mark.parametrize("name", ["a clone", "{clone} of {{mine}} and a'b $HOME é😀 #1"])
def test_a_clone_that_was_moved_below_any_name_reruns_nothing_and_runs(few, tmp_path, name):
    subprocess.run(["cp", "-a", few.root, tmp_path / name], check=True)  # Project.copy adapts what is kept of the code
    moved = Project(tmp_path / name)
    assert not moved.planned(study="few")
    shutil.rmtree(moved.root / "results")
    shutil.rmtree(moved.root / "reports/few")

    moved.snakemake("--cores", "1", study="few")

    assert (moved.root / "reports/few/ROOT").read_bytes() == (few.root / "reports/few/ROOT").read_bytes()


def test_on_a_cluster_a_study_that_its_shells_would_read_otherwise_is_refused(clone, study):
    path = study("a 'b$(touch made)")

    done = clone.run([sys.executable, "-c", REMOTE, "--cores", "1", *configuration(path)], check=False)

    assert done.returncode != 0
    assert "on a cluster the path of a study may contain only letters, digits" in done.stdout + done.stderr


REMOTE = """
import sys
from snakemake.cli import main
from snakemake.workflow import Workflow
Workflow.local_exec = property(lambda self: False)
main(sys.argv[1:])
"""


@pytest.fixture
def make(tmp_path):
    """`make` in a folder with a touchstone that notes what it was called with; (arguments, what was said)."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in ("requirements.lock", "pyproject.toml", ".venv/bin/touchstone", ".venv/run-time"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    called = tmp_path / ".venv/bin/touchstone"
    called.write_text("#!/bin/sh\nprintf '%s\\0' \"$@\" >called\n")
    called.chmod(0o755)

    def run(*words, **environment):
        (tmp_path / "called").unlink(missing_ok=True)
        clean = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME")}
        subprocess.run(["make", *words], cwd=tmp_path, env=clean | environment, check=True, capture_output=True)
        assert not (tmp_path / "made").exists()
        return (tmp_path / "called").read_text().split("\0")[:-1]

    return run


@pytest.mark.parametrize("name", [*HOSTILE, "$(shell touch made)", "$$x", "a$", "#"])
def test_make_passes_a_name_on_as_it_was_typed(make, name):
    expected = ["run", "--cores", "all", "--", name]

    assert make("run", f"STUDY={name}") == expected
    assert make("run", STUDY=name) == expected
    assert make("run", f"CORES={name}") == ["run", "--cores", name, "--", "digits"]


def test_make_without_a_word_runs_the_default_study(make):
    assert make("run") == ["run", "--cores", "all", "--", "digits"]


@pytest.mark.parametrize("name", ["--output=made", "--output=made:digits", "-p"])
def test_a_revision_that_git_would_read_as_an_option_is_none(name):
    with pytest.raises(ValueError, match="neither a study with a report"):
        comparison.read(name, ROOT)

    assert not (ROOT / "made").exists()


def test_the_default_study_is_not_configured():
    assert configuration("digits") == []
