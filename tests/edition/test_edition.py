"""An edition: reports in git, and pages that quote them, are those of the code, settings and papers here (`make edition`)."""

import csv
import gzip
import re
import runpy

import pytest
import yaml

import committed_reports
from committed_reports import ROOT, STUDIES
from touchstone import registry
from touchstone.audit.chain import audit
from touchstone.claims import paper_files
from touchstone.claims.words import ATTACKERS, NOT_RUN, STATUSES
from touchstone.pipeline.planning.plan import Plan
from touchstone.settings.paper_questions import has_metric
from touchstone.settings.study import load
from touchstone.settings.unmeasured import unmeasured

pytestmark = pytest.mark.edition
TABLES = runpy.run_path(str(ROOT / "docs" / "tables.py"))
OF_SETTINGS = [
    (page.name, found["command"], found["table"])
    for page in TABLES["PAGES"]
    for found in TABLES["TABLE"].finditer(page.read_text())
    if TABLES["reads_settings"](found["command"])
]


@pytest.mark.parametrize("study", STUDIES)
def test_a_report_is_of_this_code_and_these_settings(study):
    findings = audit.audit(Plan(load(study, ROOT)), ROOT, quiet=True)

    assert [finding for finding in findings if not finding.unchecked] == []


@pytest.mark.parametrize(("page", "command", "table"), OF_SETTINGS, ids=lambda value: str(value)[:60])
def test_what_a_page_computes_from_a_report_and_the_settings_is_what_its_command_prints(
    page, command, table, monkeypatch
):
    monkeypatch.chdir(ROOT)

    assert TABLES["printed"](command) == table


@pytest.mark.parametrize("study", STUDIES)
def test_the_words_of_a_table_of_claims_are_those_of_this_code(study):
    lines = committed_reports.claims(study).values()

    assert {line["status"] for line in lines} <= set(STATUSES)
    assert {line["attacker"] for line in lines if line["status"] not in ("", NOT_RUN)} <= set(ATTACKERS)


@pytest.mark.parametrize("name", STUDIES)
def test_every_claim_with_a_verdict_is_measured(name):
    study = load(name, ROOT).settings
    book = paper_files.book(study["papers"])
    lines = committed_reports.claims(name).values()
    judged = [line["claim"] for line in lines if line["claim"] in book.criteria and line["status"] != "not run"]

    assert len(judged) > (5 if name.endswith("multiverse") else 30)  # that judges one claim a paper
    asked = {claim: study["claims"][claim] for claim in judged if not isinstance(study["claims"][claim], str)}
    assert {claim for claim, roles in asked.items() if list(unmeasured(book.criteria[claim], roles, study))} == set()


@pytest.mark.parametrize("study", STUDIES)
def test_every_metric_of_a_report_is_named_by_its_evaluation(study):
    uses = {name: block["use"].split("/")[1] for name, block in load(study, ROOT)["evaluations"].items()}
    components = {use: registry.component("evaluations", use) for use in uses.values()}
    with gzip.open(ROOT / "reports" / study / "metrics.csv.gz", "rt", newline="") as stream:
        found = {(line["evaluation"], line["metric"].removesuffix("_mean")) for line in csv.DictReader(stream)}

    metrics = {(name, metric) for name, metric in found if name in uses}  # the claims' own numbers are of no evaluation
    assert {one for one in metrics if not has_metric(components[uses[one[0]]], one[1])} == set()


def test_the_disk_that_the_default_study_is_said_to_need_is_what_dvc_recorded_of_it():
    stages = yaml.safe_load((ROOT / "dvc.lock").read_text())["stages"]
    needed = sum(out["size"] for stage in stages.values() for out in stage["outs"]) / 1e9

    said = re.search(r"The default study takes (\d+\.\d) GB", (ROOT / "docs/install.md").read_text())

    assert float(said[1]) == pytest.approx(needed, abs=0.1)


@pytest.mark.parametrize("study", STUDIES)
def test_the_table_of_claims_holds_every_criterion_of_its_papers_once(study):
    criteria = [claim for paper in committed_reports.papers(study).values() for claim in paper["criteria"]]

    assert sorted(committed_reports.claims(study)) == sorted(criteria)
