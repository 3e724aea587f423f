"""What each question of a finished study cost, in core-minutes.

    python benchmarks/question_costs.py STUDY

Run it where the study was computed from an empty store. The run records in logs/ say how many CPU seconds each job took. A
job makes several artefacts; its seconds are shared among them in proportion to what such artefacts take elsewhere, by
non-negative least squares over all jobs (kinds: the step and the component). What several questions need is divided between
them, so the costs of all questions add up to the whole run. `alone` is what would be saved without the question.

Writes STUDY's part of question_costs.json, and question_costs.md, into benchmarks/results/.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import nnls

import job_seconds
from touchstone.pipeline.planning.parts import Task
from touchstone.pipeline.planning.plan import Plan
from touchstone.provenance.job_folders import name_of
from touchstone.settings.study import load

RESULTS = Path(__file__).parent / "results"
REPORT = "report"  # stands for what is needed by the report and by no question


def seconds_of_tasks(jobs: dict[str, tuple[Task, ...]], took: dict[str, float]) -> dict[str, float]:
    """Return the estimated seconds of each artefact, by its path; those of a job add up to the job's."""
    measured = [key for key in jobs if key in took]
    kinds = sorted({_kind(task) for key in measured for task in jobs[key]})
    counts = np.zeros((len(measured), len(kinds)))
    for place, key in enumerate(measured):
        for task in jobs[key]:
            counts[place, kinds.index(_kind(task))] += 1
    each = dict(zip(kinds, nnls(counts, np.array([took[key] for key in measured]))[0], strict=True))
    found: dict[str, float] = {}
    for key in measured:
        weights = [each[_kind(task)] for task in jobs[key]]
        weights = weights if sum(weights) > 0 else [1.0] * len(weights)
        found |= {
            task.output: took[key] * weight / sum(weights) for task, weight in zip(jobs[key], weights, strict=True)
        }
    return found


def _kind(task: Task) -> str:
    component: dict[str, Any] = task.settings.get("component") or {}
    return f"{task.step} {component.get('use', '')}"


def costs(tasks: dict[str, Task], took: dict[str, float]) -> dict[tuple[str, str], tuple[float, float]]:
    """Return the seconds of each question, shared and alone, by paper and question."""
    needed_by: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for path, task in tasks.items():
        if task.step == "evaluate":
            question = (Path(path).parents[1].name, name_of(path).rpartition("/")[2])
            waiting = [path]
            while waiting:
                file = waiting.pop()
                if question not in needed_by[file]:
                    needed_by[file].add(question)
                    waiting += tasks[file].input_files
    shared: dict[tuple[str, str], float] = defaultdict(float)
    alone: dict[tuple[str, str], float] = defaultdict(float)
    for path, seconds in took.items():
        users = needed_by.get(path) or {(REPORT, REPORT)}
        for user in users:
            shared[user] += seconds / len(users)
        if len(users) == 1:
            alone[next(iter(users))] += seconds
    return {user: (shared[user], alone[user]) for user in sorted(shared, key=lambda user: -shared[user])}


def page(table: dict[str, list[list[Any]]]) -> str:
    """Return the costs of all studies as a page."""
    lines = ["# What each question costs", "", (__doc__ or "").split("\n\n")[2].replace("\n", " "), ""]
    for study, rows in sorted(table.items()):
        total = sum(row[2] for row in rows)
        lines += [f"## {study}: {total:.0f} core-minutes", ""]
        papers: dict[str, float] = defaultdict(float)
        for paper, _, shared, _ in rows:
            papers[paper] += shared
        lines += [
            ", ".join(f"{name} {minutes:.0f}" for name, minutes in sorted(papers.items(), key=lambda one: -one[1]))
            + ".",
            "",
        ]
        lines += ["| paper | question | core-minutes | alone |", "| --- | --- | ---: | ---: |"]
        lines += [f"| {paper} | {name} | {shared:.1f} | {alone:.1f} |" for paper, name, shared, alone in rows] + [""]
    return "\n".join(lines)


def main() -> None:
    """Renew the part of one study."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study")
    study = parser.parse_args().study
    plan = Plan(load(study))
    took = seconds_of_tasks({str(job): job.tasks for job in plan.jobs.values()}, job_seconds.seconds(plan.study))
    path = RESULTS / "question_costs.json"
    table = json.loads(path.read_text()) if path.exists() else {}
    table[study] = [
        [*user, round(shared / 60, 2), round(alone / 60, 2)]
        for user, (shared, alone) in costs(plan.tasks, took).items()
    ]
    path.write_text(json.dumps(table, indent=1, sort_keys=True) + "\n")
    path.with_suffix(".md").write_text(page(table))
    print(page({study: table[study]}))


if __name__ == "__main__":
    main()
