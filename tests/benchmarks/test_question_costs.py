"""The costs of questions: seconds of jobs shared among artefacts and questions, worked by hand."""

import runpy
from pathlib import Path

import pytest

from touchstone.pipeline.planning.parts import Task

COSTS = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "question_costs.py"))


def task(step, output, *inputs, use="x"):
    return Task(step, {"files": list(inputs)}, output, {"component": {"use": use}})


def test_seconds_of_a_job_are_shared_in_proportion_to_what_such_artefacts_take_elsewhere():
    jobs = {
        "attack/a": (task("attack", "slow", use="pgd"),),
        "attack/b": (task("attack", "quick", use="fgsm"),),
        "attack/c": (task("attack", "both_slow", use="pgd"), task("attack", "both_quick", use="fgsm")),
        "attack/unrecorded": (task("attack", "unknown", use="fgsm"),),
    }

    found = COSTS["seconds_of_tasks"](jobs, {"attack/a": 30.0, "attack/b": 10.0, "attack/c": 40.0})

    assert found == {
        "slow": 30.0, "quick": 10.0, "both_slow": pytest.approx(30), "both_quick": pytest.approx(10)
    }  # fmt: skip


def test_what_several_questions_need_is_divided_between_them_and_the_sum_is_the_whole_run():
    first, second = (f"results/s/evaluate/{paper}/metrics/{name}.csv" for paper, name in (("p", "one"), ("q", "two")))
    tasks = {
        "net": task("train", "net"),
        "shared": task("attack", "shared", "net"),
        "own": task("attack", "own", "net"),
        first: task("evaluate", first, "shared"),
        second: task("evaluate", second, "shared", "own"),
        "page": task("report", "page", first, second),
    }
    took = {"net": 60.0, "shared": 20.0, "own": 7.0, first: 1.0, second: 2.0, "page": 5.0}

    found = COSTS["costs"](tasks, took)

    assert found == {("q", "two"): (49.0, 9.0), ("p", "one"): (41.0, 1.0), ("report", "report"): (5.0, 5.0)}
    assert sum(shared for shared, _ in found.values()) == sum(took.values())
