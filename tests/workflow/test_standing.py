"""A run of a finished study says that there is nothing to do without starting Snakemake, and starts it where that is not sure."""

import os
import time

import pytest
from touchstone.pipeline.orchestration.restore import restore

from touchstone.pipeline.orchestration import freshness
from touchstone.pipeline.planning.plan import Plan
from touchstone.pipeline.settings.study import load

LOG = "logs/tiny/snakemake.log"  # written by each run that starts Snakemake
CLAIM = ".touchstone/run.json"  # written by each run that looks further than the stamp


def run(project):
    """A run of the tiny study: (what it said, whether it started Snakemake)."""
    (project.root / LOG).unlink(missing_ok=True)
    done = project.forked_touchstone("run", "tiny", "--cores", "2")
    return done.stdout + done.stderr, (project.root / LOG).exists()


@pytest.fixture
def vouched(copied, monkeypatch):
    freshness.vouch("tiny", freshness.workflow_digest(copied.root), copied.root)
    monkeypatch.chdir(copied.root)
    return copied


def answer(project):
    plan = Plan(load("tiny", project.root))
    return freshness.vouched("tiny", project.root) and freshness.nothing_to_do(plan, restore(plan, project.root))


def test_a_finished_study_is_finished(vouched):
    assert answer(vouched)


@pytest.mark.parametrize(
    "file",
    [
        "Snakefile",
        "profiles/default/config.yaml",
        "workflow/common.smk",
        "workflow/rules/results.smk",
    ],
)
def test_what_is_changed_in_the_workflow_is_left_to_snakemake(vouched, file):
    (vouched.root / file).open("a").write("# changed\n")

    assert not answer(vouched)


def test_a_profile_in_the_environment_is_left_to_snakemake(vouched, monkeypatch):
    monkeypatch.setenv("SNAKEMAKE_PROFILE", "mine")

    assert not answer(vouched)


@pytest.mark.parametrize(
    "file",
    [
        "reports/tiny/report.html",
        "reports/tiny/claims.csv",
        "data/tiny/metrics/margins.csv",
        "data/tiny/metrics/margins.csv.prov.json",
        "data/tiny/checkpoints/cnn.0.safetensors",
    ],
)
def test_a_study_without_one_of_its_files_is_not_finished(vouched, file):
    (vouched.root / file).unlink()

    assert not answer(vouched)


def test_an_input_that_is_newer_with_other_bytes_is_seen_though_its_sidecar_is_newer_still(vouched):
    """Not damaged by its times, so the restore does not look; but Snakemake would."""
    path = vouched.root / "data/tiny/checkpoints/cnn.0.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    os.utime(path.with_name(path.name + ".prov.json"))

    assert not answer(vouched)
    assert vouched.planned()


def test_too_few_cores_are_left_to_snakemake_which_says_so():
    assert freshness.enough_cores("1", 1)
    assert freshness.enough_cores("all", 1)
    assert not freshness.enough_cores("1", 2)
    assert not freshness.enough_cores("many", 1)


def test_a_changed_setting_runs_its_jobs_and_then_there_is_nothing_to_do(vouched):
    vouched.edit("workflow/studies/tiny.yaml", "fab: {use: fab, steps: 2}", "fab: {use: fab, steps: 3}")

    told, started = run(vouched)
    _, again = run(vouched)

    assert started
    assert "jobs in" in told
    assert not again


def test_the_first_run_starts_snakemake_and_runs_plan_until_nothing_was_to_do_and_after_each_change(copied):
    started, planned = [], []
    for changed in (None, None, None, "src/touchstone/commands/gc.py", None):
        if changed:
            (copied.root / changed).open("a").write("# changed\n")
            time.sleep(1.1)  # the start of a process is known to a second
        (copied.root / CLAIM).unlink(missing_ok=True)
        words, snakemake = run(copied)
        started.append(snakemake)
        planned.append((copied.root / CLAIM).exists())
        assert words == "Nothing to do: nothing has changed. The report: reports/tiny/report.html\n"

    assert started == [True, False, False, False, False]
    assert planned == [True, True, False, True, False]
