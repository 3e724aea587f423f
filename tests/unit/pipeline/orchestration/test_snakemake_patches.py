"""Snakemake's default limit of job starts is dropped, any other is kept; an untested Snakemake runs unchanged."""

from types import SimpleNamespace

import pytest

from projects import Project
from touchstone.pipeline.orchestration import snakemake_patches

SNAKEFILE = """
import threading
from touchstone.pipeline.orchestration import snakemake_patches

timers = []
start = threading.Timer.start
threading.Timer.start = lambda self: (timers.append(self), start(self))

rule all:
    input: "a", "b", "c"

rule one:
    output: "{name,[abc]}"
    shell: "echo x > {output}"

onstart:
    if DROP:
        assert snakemake_patches.drop_default_rate_limit(workflow) is None

onsuccess:
    print(len(timers), "timers")
"""


def workflow(count, timespan):
    limit = None if count is None else SimpleNamespace(max_jobs=count, timespan=timespan)
    return SimpleNamespace(
        scheduling_settings=SimpleNamespace(max_jobs_per_timespan=limit),
        scheduler=SimpleNamespace(job_rate_limiter=limit),
    )


def test_the_default_limit_is_dropped():
    default = workflow(100, 1)

    assert snakemake_patches.drop_default_rate_limit(default) is None

    assert default.scheduler.job_rate_limiter is None


@pytest.mark.parametrize("limit", [(5, 1), (100, 60)])
def test_a_limit_that_somebody_asked_for_is_kept(limit):
    own = workflow(*limit)

    assert snakemake_patches.drop_default_rate_limit(own) is None

    assert own.scheduler.job_rate_limiter is not None


@pytest.mark.parametrize("version", ["9.2.1", "9.28.0", "10.0.0", "8.30.0", "unknown", "9"])
def test_another_version_keeps_its_limit_and_says_so(monkeypatch, version):
    monkeypatch.setattr(snakemake_patches, "version", lambda name: version)
    default = workflow(100, 1)

    warning = snakemake_patches.drop_default_rate_limit(default)

    assert f"this is Snakemake {version}; touchstone was tested with 9.3 to 9.27" in warning
    assert default.scheduler.job_rate_limiter is not None


def test_a_snakemake_without_such_attributes_runs_unchanged():
    assert "keeps its rate limit" in snakemake_patches.drop_default_rate_limit(SimpleNamespace())
    assert snakemake_patches.drop_default_rate_limit(workflow(None, None)) is None


@pytest.mark.parametrize("drop", [True, False])
def test_a_real_snakemake_sets_no_timer_without_the_limit(tmp_path, drop):
    (tmp_path / "Snakefile").write_text(SNAKEFILE.replace("DROP", str(drop)))

    done = Project(tmp_path).forked(["-m", "snakemake", "--cores", "1"], check=False)

    assert done.returncode == 0, done.stderr
    assert ("\n0 timers" in f"\n{done.stdout}") == drop
