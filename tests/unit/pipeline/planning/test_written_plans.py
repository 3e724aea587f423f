"""The plan that a job reads is the plan of the study, also in its order: a report lists what it has in that order."""

from pathlib import Path

from touchstone.pipeline.jobs import job_plan
from touchstone.pipeline.planning.plan import Plan
from touchstone.settings.study import load

ROOT = Path(__file__).parents[4]


def test_a_job_reads_settings_in_the_order_of_the_study(tmp_path, monkeypatch):
    plan = Plan(load("tiny", ROOT))
    monkeypatch.chdir(tmp_path)
    digest, job = plan.write()["report", "tiny"], plan.jobs["report", "tiny"]

    read = job_plan.load(digest, job.inputs, plan.layout.page).tasks[0].settings

    planned = plan.tasks[plan.layout.page].settings
    assert list(planned["evaluations"]) != sorted(planned["evaluations"])
    for part in ("evaluations", "papers", "figures"):
        assert list(read[part]) == list(planned[part])
    for name, paper in planned["papers"].items():
        assert list(read["papers"][name]) == list(paper)


def test_studies_share_downloads(tmp_path, monkeypatch):
    """Else Snakemake would fetch again, and start every job behind, whenever somebody goes from one study to another."""
    studies = [Plan(load(name, ROOT)) for name in ("tiny", "digits")]
    monkeypatch.chdir(tmp_path)
    tiny, digits = (plan.write() for plan in studies)

    shared = tiny.keys() & digits.keys() & {("fetch", "sklearn_digits")}

    assert shared
    assert all(tiny[job] == digits[job] for job in shared)
