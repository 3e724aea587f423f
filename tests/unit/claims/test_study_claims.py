"""What the shipped studies say of the claims: who plays their roles, and that their evaluations give what is asked."""

import csv
import inspect
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hand_made_claims import row

import committed_reports
from touchstone import registry
from touchstone.claims import paper_files
from touchstone.claims.judging import StudyClaims, judge
from touchstone.claims.verdicts import ATTACKERS, STATUSES
from touchstone.evaluations.paired_errors import paired_errors
from touchstone.evaluations.routing import routing
from touchstone.evaluations.translation import translation
from touchstone.pipeline.planning.plan import Plan
from touchstone.records.nouns import Cell, Detector, Outputs, Scores
from touchstone.report.claim_files import claims_csv
from touchstone.settings import papers
from touchstone.settings.study import load

ROOT = Path(__file__).parents[3]
FILES = sorted((ROOT / "workflow" / "studies").glob("*.yaml"))
STUDIES = ["digits", *(path.stem for path in FILES)]
BOOK = paper_files.book(papers.shipped_facts())
CLAIMS = sorted([*BOOK.published, *BOOK.criteria])


def of_papers(listed):
    """The claims of some papers."""
    facts = papers.shipped_facts()
    book = paper_files.book({name: facts[name] for name in listed})
    return {*book.published, *book.criteria}


PAIRED = {"routing": routing, "translation": translation, "paired_errors": paired_errors}
OF_PAIRS = {"S1-5", "S3-5", "S3-14", "S4-2", "S4-3", "S4-5", "S4-6", "S4-9", "S4-10", "S4-11", "S4-17", "S4-18"}
ATTACKED_DETECTION = {"evaluation": "attacks", "entry": "plain+msp", "seed": 0}


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
        if player.section == "attacks" and f"/{{{role}}}" in condition.rows.examples
        for key, value in condition.rows.threat
        if key == "eps" and settings["attacks"][roles[role]].get("eps") != pytest.approx(value, rel=1e-3)
    }

    assert not wrong


def made_up(planned, with_router):
    """An artefact of six images where a plan has one of an evaluation about accuracy."""
    if planned.role == "detectors":
        noun = Detector({}, {"use": "energy"}, {"0.05": 0.5}, spread=1.0, supervised=False)
    elif planned.role == "calibration_scores":
        noun = Scores(np.linspace(0, 1, 6), np.arange(6), np.zeros(6, np.int64))
    else:
        logits = np.random.default_rng(zlib.crc32(planned.file.encode())).normal(size=(6, 2)).astype(np.float32)
        paths = {"untranslated": logits, "translated": logits, "routed": logits[:, 0] > 0.5}
        paths |= {"routing_score": logits[:, 0]} if with_router else {}
        defence = "protects" in planned.facts.get("settings", {})
        noun = Outputs(logits, np.arange(6) % 2, np.arange(6), paths if defence else {})
    return Cell(noun, planned.file, **planned.facts)


@pytest.mark.parametrize("study", ["digits", "fashion_mnist"])
def test_the_evaluations_of_a_study_give_the_differences_that_its_claims_ask_for(study):
    plan, rows = Plan(load(study, ROOT)), []
    asked = StudyClaims(**plan.questions.claims())

    for name, component in asked.components.items():
        if component not in PAIRED:
            continue
        cells = plan.questions.cells(name, ("outputs", "detectors", "calibration_scores"))
        routed = {cell.facts["entry"] for cell in cells if cell.role == "detectors"}
        made = {"outputs": [], "detectors": [], "calibration_scores": [], "examples": []}
        for cell in cells:
            made[cell.role].append(made_up(cell, cell.facts["entry"] in routed))
        parameters = inspect.signature(PAIRED[component]).parameters
        against = plan.study["evaluations"][name].get("against")
        own = {"against": against} if against and "against" in parameters else {}
        found = PAIRED[component](*(made[role] for role in made if role in parameters), resamples=2, **own)
        rows += [replace(each, evaluation=name, line=2) for each in found]

    missing = {verdict.claim.id: verdict.notes for verdict in judge(BOOK, asked, rows) if verdict.missing}
    assert not OF_PAIRS & missing.keys(), missing


def test_the_papers_are_settings_of_the_report_and_of_no_other_job():
    plan = Plan(load("tiny", ROOT))

    assert plan.tasks[plan.layout.page].settings["papers"] == load("tiny", ROOT)["papers"]
    assert {task.step for task in plan.tasks.values() if "papers" in task.settings} == {"report"}


def test_the_attacked_auroc_is_judged_by_itself_whatever_the_clean_one_is():
    names = {"plain": "plain", "detector": "msp", "ood": ["faces"]}
    asked = StudyClaims(
        "digits", {"attacks": "attacked_detection"}, {"S1-1": names, "S1-13": names | {"attack": "score"}}
    )
    seeds = {"seed": None, "seeds": (0, 1, 2)}
    clean = row(0.6, metric="auroc_clean_mean", examples="faces", **ATTACKED_DETECTION | seeds)
    attacked = row(
        0.03,
        metric="auroc_both_mean",
        examples="faces/score",
        threat="white-box linf eps=0.1",
        **ATTACKED_DETECTION | seeds,
    )

    found = {verdict.claim.id: verdict for verdict in judge(BOOK, asked, [clean, attacked])}

    assert (found["S1-1"].word, found["S1-13"].word, found["P1-3"].word) == (
        "fails",
        "holds",
        "same direction",
    )


@pytest.mark.parametrize("study", STUDIES)
def test_the_claims_of_every_study_have_exactly_one_allowed_word_on_each_axis(study):
    asked = StudyClaims(**Plan(load(study, ROOT)).questions.claims())

    lines = list(csv.DictReader(claims_csv(BOOK, judge(BOOK, asked, [])).decode().splitlines()))

    assert sorted(line["claim"] for line in lines) == CLAIMS
    assert {line["status"] for line in lines} <= set(STATUSES)
    assert {line["attacker"] for line in lines} <= set(ATTACKERS)
    assert all(line["note"] for line in lines if line["status"] == "not run")


@pytest.mark.parametrize("study", committed_reports.STUDIES)
def test_a_committed_claims_table_holds_every_claim_of_its_papers_once(study):
    lines = list(csv.DictReader((ROOT / "reports" / study / "claims.csv").read_text().splitlines()))

    papers_then = committed_reports.papers(study).values()
    asked = [claim for paper in papers_then for part in ("published", "criteria") for claim in paper[part]]
    assert sorted(line["claim"] for line in lines) == sorted(asked)
