"""A job that was submitted to a cluster has the cores that its own rule asks for, whatever other rules ask for."""

from pathlib import Path

import pytest
import yaml

from projects import write_study

PROFILES = Path(__file__).parents[2] / "profiles"


@pytest.fixture
def two_threads(clone):
    write_study(clone.root, "mine", compute={"threads": 2})
    return clone


def test_a_submitted_job_of_one_thread_runs_on_one_core(two_threads):
    flags = ("--mode", "remote", "--cores", "1", "--target-jobs", "fetch:source=sklearn_digits", "--nolock")

    two_threads.snakemake(*flags, study="mine")

    assert (two_threads.root / "data/raw/sklearn_digits").is_dir()


def test_a_run_with_fewer_cores_than_a_job_needs_is_refused(two_threads):
    done = two_threads.snakemake("--dry-run", "--cores", "1", study="mine", check=False)

    assert done.returncode
    assert "gives each torch job 2 threads, but Snakemake has only 1 core(s)" in done.stdout + done.stderr


def test_the_cluster_has_the_default_settings_that_are_not_about_this_machine():
    default, slurm = (yaml.safe_load((PROFILES / name / "config.yaml").read_text()) for name in ("default", "slurm"))

    assert default.keys() - slurm.keys() == {"resources"}
    assert all(slurm[name] == default[name] for name in default.keys() & slurm.keys())
