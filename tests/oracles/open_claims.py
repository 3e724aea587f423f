"""A made-up study `own` over a made-up paper: its criteria, the rows of a finished run, and run records of its jobs."""

from __future__ import annotations

import json
from pathlib import Path

from touchstone.evaluations.statistics import seed_intervals
from touchstone.pipeline.jobs import run_records
from touchstone.provenance.job_folders import name_of
from touchstone.records.metric_rows import Threat
from touchstone.records.metric_tables import MetricRow

TAKES = {"train": 600, "attack": 30, "measure": 6}  # seconds of a job of each rule
EASY = (1e-4, 4e-4, 1e-4)  # what the seeds, the images and the rest vary by
PAPER = {
    "name": "Mine", "title": "Mine, a paper", "cite": "A. Author. Title. 2026.", "url": "https://example.org",
    "distance": 0.05, "unfair": ["Made up."], "published": {},
}  # fmt: skip
EXPERIMENT = {
    "classifiers": {
        "mlp_pgd": {"use": "adversarial", "model": {"use": "mlp"}, "attack": {"use": "pgd", "eps": 0.1, "steps": 7}},
    },
    "examples": {"some": {"use": "subset", "of": "$test", "count": 120}},
    "evaluations": {
        "mine_robustness": {
            "use": "robustness", "question": "How accurate?", "classifiers": ["cnn", "cnn_pgd", "mlp_pgd"],
            "examples": ["some", "$test"], "attacks": ["pgd"],
        }
    },
}  # fmt: skip


def criterion(metric="robust_accuracy", **more):
    test = {"name": metric, "evaluation": "robustness", "metric": metric, "entry": "{net}", "examples": "some/pgd"}
    test |= {"at_least": 0.3} if "between" not in more else {}
    of_claim = {key: more.pop(key) for key in ("seeds",) if key in more}
    return {
        "setting": metric,
        "criterion": "a bound",
        "bound": {"from": "ours", "source": "enough for a test"},
        "roles": {"net": "classifiers"},
        **of_claim,
        "tests": [test | more],
    }


def mean(
    entry="cnn_pgd",
    *,
    metric="robust_accuracy",
    value=0.31,
    seeds=(0, 1, 2),
    parts=EASY,
    method=seed_intervals.PLAIN,
    plan,
):
    spread = seed_intervals.Spread(len(seeds), 120, *parts)
    low, high = seed_intervals.ends(value, spread.variance, spread.df, 120, method)
    return MetricRow(
        "mine_robustness", entry, "some/pgd", f"{metric}_mean", value, "fraction", low, high, 120, None, None, Threat(),
        files_behind(plan, entry, seeds), method=method, seeds=seeds, images=120, seed_variance=parts[0],
        image_variance=parts[1], residual_variance=parts[2],
    )  # fmt: skip


def files_behind(plan, entry, seeds):
    cells = [cell for cell in plan.questions.cells("mine_robustness", ("outputs",)) if cell.facts["entry"] == entry]
    attacked = [cell for cell in cells if cell.facts["examples"] == "some" and cell.facts["attack"] == "pgd"]
    return tuple(name_of(cell.file) for cell in attacked if cell.facts["seed"] in seeds)


def record(plan, **changes):
    """Write a run record of every job."""
    for job in plan.jobs.values():
        seconds = TAKES.get(job.rule, 1)
        facts = dict.fromkeys(run_records.STARTED) | {
            "rule": job.rule, "name": job.name, "computed": len(job.tasks), "cpu_seconds": 1.0,
            "peak_bytes": 1, "start": "2026-01-01T00:00:00+00:00", "failed": False,
            "end": f"2026-01-01T00:{seconds // 60:02d}:{seconds % 60:02d}+00:00",
        }  # fmt: skip
        path = Path("logs/own", run_records.FOLDER, job.rule, f"{job.name}.json")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(facts | changes))
