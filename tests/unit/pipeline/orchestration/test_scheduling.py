"""Snakemake's default limit of job starts is dropped, any other is kept; without it the scheduler sets no timers."""

import subprocess
import sys
from types import SimpleNamespace

import pytest

from touchstone.pipeline.orchestration import scheduling

SNAKEFILE = """
import threading
from touchstone.pipeline.orchestration import scheduling

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
        scheduling.drop_default_rate_limit(workflow)

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

    scheduling.drop_default_rate_limit(default)

    assert default.scheduler.job_rate_limiter is None


@pytest.mark.parametrize("limit", [(5, 1), (100, 60)])
def test_a_limit_that_somebody_asked_for_is_kept(limit):
    own = workflow(*limit)

    scheduling.drop_default_rate_limit(own)

    assert own.scheduler.job_rate_limiter is not None


def test_a_snakemake_without_such_attributes_runs_as_it_is():
    scheduling.drop_default_rate_limit(SimpleNamespace())
    scheduling.drop_default_rate_limit(workflow(None, None))


@pytest.mark.parametrize("drop", [True, False])
def test_a_real_snakemake_sets_no_timer_without_the_limit(tmp_path, drop):
    (tmp_path / "Snakefile").write_text(SNAKEFILE.replace("DROP", str(drop)))
    line = [sys.executable, "-m", "snakemake", "--cores", "1"]

    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert ("\n0 timers" in f"\n{done.stdout}") == drop
