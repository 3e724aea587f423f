"""What the jobs of a study execute, and the files of the package that they open, are in the digests of their code."""

import json

from touchstone.pipeline.planning.plan import Plan
from touchstone.settings.study import load


def test_the_digests_of_the_jobs_of_tiny_miss_nothing(again):
    notes = [json.loads(line) for line in (again.root / "executed.jsonl").read_text().splitlines()]
    jobs = Plan(load("tiny", again.root)).jobs.values()

    assert {note["task"] for note in notes} == {
        task.output for job in jobs if job.rule != "fetch" for task in job.tasks
    }
    assert {f"{note['task']}: {name}" for note in notes for name in note["missed"]} == set()
    assert len({name for note in notes for name in note["looked_up"]}) > 500
