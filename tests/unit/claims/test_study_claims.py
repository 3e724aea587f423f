"""What the shipped studies say of the claims: who plays their roles, and that their evaluations give what is asked."""

import csv
from pathlib import Path

import pytest

from touchstone import registry
from touchstone.claims import paper_files
from touchstone.claims.judging import StudyClaims, judge
from touchstone.claims.words import ATTACKERS, STATUSES
from touchstone.pipeline.planning.plan import Plan
from touchstone.report.claim_files import claims_csv
from touchstone.settings import papers
from touchstone.settings.study import load

ROOT = Path(__file__).parents[3]
FILES = sorted((ROOT / "workflow" / "studies").glob("*.yaml"))
STUDIES = ["digits", *(path.stem for path in FILES)]
BOOK = paper_files.book(papers.shipped_facts())
CLAIMS = sorted(BOOK.criteria)


def of_papers(listed):
    """The claims of some papers."""
    facts = papers.shipped_facts()
    book = paper_files.book({name: facts[name] for name in listed})
    return {*book.published, *book.criteria}


@pytest.mark.parametrize("study", STUDIES)
def test_what_a_study_asks_is_measured_by_evaluations_that_exist(study):
    asked = [BOOK.criteria[name] for name, roles in load(study, ROOT)["claims"].items() if not isinstance(roles, str)]

    found = {condition.rows.evaluation for criterion in asked for condition in criterion.tests}

    assert found <= set(registry.names("evaluations"))


@pytest.mark.parametrize("study", STUDIES)
def test_a_study_says_of_every_criterion_who_plays_its_roles_or_why_it_is_not_run(study):
    settings = load(study, ROOT)

    assert set(BOOK.criteria) & of_papers(settings["papers"]) <= set(settings["claims"])


@pytest.mark.parametrize("study", STUDIES)
def test_a_study_gives_a_criterion_attacks_of_its_eps(study):
    settings = load(study, ROOT)
    asked = {name: roles for name, roles in settings["claims"].items() if not isinstance(roles, str)}

    wrong = {
        (name, roles[role], value)
        for name, roles in asked.items()
        for condition in BOOK.criteria[name].tests
        for role, player in BOOK.criteria[name].roles.items()
        if player.section == "attacks" and role in roles and f"/{{{role}}}" in condition.rows.examples
        for key, value in condition.rows.threat
        if key == "eps" and settings["attacks"][roles[role]].get("eps") != pytest.approx(value, rel=1e-3)
    }

    assert not wrong


def test_the_papers_are_settings_of_the_report_and_of_no_other_job():
    plan = Plan(load("tiny", ROOT))

    assert plan.tasks[plan.layout.page].settings["papers"] == load("tiny", ROOT)["papers"]
    assert {task.step for task in plan.tasks.values() if "papers" in task.settings} == {"report"}


@pytest.mark.parametrize("study", STUDIES)
def test_the_claims_of_every_study_have_exactly_one_allowed_word_on_each_axis(study):
    asked = StudyClaims(**Plan(load(study, ROOT)).questions.claims())

    lines = list(csv.DictReader(claims_csv(BOOK, judge(BOOK, asked, [])).decode().splitlines()))

    assert sorted(line["claim"] for line in lines) == CLAIMS
    assert {line["status"] for line in lines} <= set(STATUSES)
    assert {line["attacker"] for line in lines} <= {*ATTACKERS, ""}
    assert all(line["note"] for line in lines if line["status"] == "not run")
