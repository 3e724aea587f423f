"""Every shipped study plans whole, without its data at hand: no job is missing, and none is there that nothing needs."""

from pathlib import Path

import pytest

from touchstone.params import load
from touchstone.plan import Plan

ROOT = Path(__file__).parents[2]
JOBS = {"fashion_mnist": 218}  # a look at each study's size; change the figure with the study


def jobs_by_file(plan):
    """Return {file: job} for all that the rules can make, and the job as (rule, wildcards)."""
    return {
        output.format(**wildcards): (rule.name, tuple(sorted(wildcards.items())))
        for rule, wildcards in plan.jobs()
        for output in plan.outputs(rule)
    }


def needed_jobs(plan):
    """Return the jobs that the report needs, found from the tasks' inputs alone; KeyError where nothing makes one."""
    makers = jobs_by_file(plan)
    tasks = {
        task.output: task for rule, wildcards in plan.jobs() for task in plan.tasks(rule, **wildcards)
    }  # fmt: skip
    waiting, found = [f"reports/{plan.study.name}/report.html"], set()
    while waiting:
        job = makers[waiting.pop()]
        if job not in found:
            found.add(job)
            files = [file for file, maker in makers.items() if maker == job]
            waiting += [name for file in files for name in tasks[file].input_files]
    return found


@pytest.mark.parametrize("study", JOBS)
def test_a_study_plans_every_job_that_its_report_needs(bare, study):
    needed = needed_jobs(Plan(load(study, ROOT)))

    planned = bare.planned(study=study)

    assert planned.total() == len(needed) == JOBS[study]


@pytest.mark.parametrize("study", JOBS)
def test_a_study_opens_with_its_command_its_minutes_and_its_device(study):
    opening = (ROOT / f"workflow/studies/{study}.yaml").read_text().split("\n\n")[0]

    assert opening.startswith(f"# make run STUDY={study}")
    assert "minute" in opening or "hour" in opening
    assert "GPU" in opening
