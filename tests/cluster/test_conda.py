"""`--use-conda` with a real conda, offline: the shipped environment file and its script, unchanged."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.cluster


def snakemake(project, conda, *arguments):
    environment = {name: value for name, value in conda.environment().items() if not name.startswith("SNAKEMAKE")}
    command = [sys.executable, "-m", "snakemake", "--nocolor", "--cores", "2", *arguments, "--config", "study=tiny"]
    return subprocess.run(command, cwd=project.root, env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def with_conda(conda, tiny, tmp_path_factory):
    """The tiny study, run in the conda environment; the store of the local run spares it the trainings."""
    project = type(tiny)(tmp_path_factory.mktemp("with_conda") / "project")
    shutil.copytree(tiny.root, project.root, ignore=shutil.ignore_patterns(".snakemake"))
    for folder in ("results", "reports"):
        shutil.rmtree(project.root / folder)
    for folder in (project.root / "data/tiny").iterdir():
        if folder.name != "train":
            shutil.rmtree(folder)
    done = snakemake(project, conda, "--use-conda")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return project, done.stdout + done.stderr


def test_every_job_runs_in_the_environment(with_conda, conda):
    project, told = with_conda

    environments = set(conda.used.read_text().split())
    assert "Creating conda environment workflow/envs/touchstone.yaml" in told
    assert "Running post-deploy script" in told
    assert len(environments) == 1
    assert environments.pop().startswith(str(project.root / ".snakemake/conda"))
    assert conda.used.read_text().count("\n") >= told.count("Finished jobid") - 1


def test_the_bytes_are_those_of_a_run_without_conda(with_conda, tiny):
    project, _ = with_conda

    folders = ("data", "results", "reports")
    assert project.digests(*folders) == tiny.digests(*folders)


def test_switching_conda_on_or_off_or_moving_reruns_nothing(with_conda, conda, tiny, tmp_path):
    project, _ = with_conda
    moved = type(project)(tmp_path / "elsewhere")
    shutil.copytree(project.root, moved.root)

    for place, flags in (
        (project, []),
        (project, ["--use-conda"]),
        (tiny, ["--use-conda"]),
        (moved, []),
        (moved, ["--use-conda"]),
    ):
        done = snakemake(place, conda, "--dry-run", *flags)
        assert "Nothing to be done" in done.stdout + done.stderr, (place.root, flags)


def test_without_conda_a_word_says_what_to_do(bare, tmp_path):
    path = [part for part in os.environ["PATH"].split(os.pathsep) if not Path(part, "conda").exists()]
    project = type(bare)(tmp_path / "project", {"PATH": os.pathsep.join(path)})
    shutil.copytree(bare.root, project.root)

    done = project.snakemake("--cores", "1", "--use-conda", check=False)

    assert done.returncode != 0
    assert (
        "--use-conda needs conda, which is not installed: install it, or type `make run`" in done.stdout + done.stderr
    )
    assert "Traceback" not in done.stdout + done.stderr
