"""touchstone as a module of another workflow, in another folder."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from projects import copy_of_repository
from sheet_study import PETS, STUDY

ROOT = Path(__file__).parents[2]
OTHER = f"""
module tiny:
    snakefile: "{ROOT}/workflow/Snakefile"
    config: {{"study": "study.yaml"}}

use rule * from tiny as tiny_*

rule mine:
    input: "results/study/evaluate/shared", "reports/study/report.html"
    output: "lines.txt"
    default_target: True
    shell: "wc -l < {{input[0]}}/metrics/sheet.csv > {{output}}"
"""
PREFIXED = OTHER.replace("    config:", '    prefix: "x"\n    config:').replace('"results/', '"x/results/')
PREFIXED = PREFIXED.replace('"reports/', '"x/reports/')


@pytest.fixture
def snakemake(tmp_path):
    """A function that runs Snakemake in the other folder, and returns what it said."""
    (tmp_path / "study.yaml").write_text(STUDY)
    triggers = ["--rerun-triggers", "mtime", "params", "input"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def run(*arguments):
        line = [sys.executable, "-m", "snakemake", "--cores", "1", "--nocolor", *triggers, *arguments]
        done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, env=environment)
        logs = "".join(path.read_text() for path in tmp_path.rglob("*.log"))
        assert done.returncode == 0, done.stdout + done.stderr + logs
        return done.stdout + done.stderr

    return run


def test_another_workflow_uses_this_one_as_a_module_and_has_nothing_to_do_again(tmp_path, snakemake):
    (tmp_path / "Snakefile").write_text(PREFIXED)

    snakemake()
    again = snakemake()

    assert int((tmp_path / "lines.txt").read_text()) > 5
    assert (tmp_path / "x/reports/study/ROOT").is_file()
    assert "Nothing to be done" in again
    assert not any((ROOT / folder / "study").exists() for folder in ("data", "results", "reports"))


def test_without_a_prefix_the_module_writes_where_the_other_workflow_reads(tmp_path, snakemake):
    (tmp_path / "Snakefile").write_text(OTHER)

    snakemake("--until", "tiny_prepare")

    assert (tmp_path / "results/study/prepare/study").is_dir()


def test_pictures_of_ones_own_are_found_where_the_workflow_runs_though_the_rest_has_a_prefix(tmp_path, snakemake):
    for name in ("cat/1", "cat/2", "dog/1", "dog/2"):
        picture = tmp_path / f"pets/{name}.png"
        picture.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 8), len(name), np.uint8)).save(picture)
    (tmp_path / "study.yaml").write_text(PETS)
    (tmp_path / "Snakefile").write_text(PREFIXED)

    snakemake("--until", "tiny_prepare")

    assert (tmp_path / "x/results/study/prepare/study/sidecar.json").is_file()
    assert "total        0" in snakemake("--until", "tiny_prepare")  # nothing is left to do


BARE = """
import sys
from snakemake.cli import main

class Absent:
    def find_spec(self, name, *others):
        if name.split(".")[0] in {absent}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
sys.exit(main(sys.argv[1:]))
"""
NOT_SNAKEMAKES = {
    "dvc",
    "filelock",
    "matplotlib",
    "PIL",
    "pooch",
    "rich",
    "safetensors",
    "scipy",
    "sklearn",
    "torch",
    "torchvision",
}


def test_a_module_from_a_git_host_plans_in_a_bare_snakemake_that_finds_touchstone(tmp_path):
    repository = copy_of_repository(tmp_path / "repository").root
    for words in (["init", "-q"], ["add", "workflow", "requirements.lock"], ["commit", "-q", "-m", "all"]):
        subprocess.run(
            ["git", "-c", "user.name=x", "-c", "user.email=x@example.org", *words], cwd=repository, check=True
        )
    commit = subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=repository, text=True).strip()
    folder = tmp_path / "deployed"
    folder.mkdir()
    (folder / "study.yaml").write_text(STUDY)
    from_git = f'gitfile("{repository}", path="workflow/Snakefile", commit="{commit}")'
    (folder / "Snakefile").write_text(OTHER.replace(f'"{ROOT}/workflow/Snakefile"', from_git))

    done = subprocess.run(
        [sys.executable, "-c", BARE.replace("{absent}", repr(NOT_SNAKEMAKES)), "--dry-run", "--cores", "1"],
        cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT / "src")}, capture_output=True, text=True,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert "tiny_fetch" in done.stdout + done.stderr
