"""The papers of a study: read from their files as these are now, however often a process reads them."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from hand_made_papers import COMMON, GRADES
from touchstone.pipeline.planning.plan import Plan
from touchstone.settings.files import ParamsError
from touchstone.settings.papers import read_papers
from touchstone.settings.problems import Problems
from touchstone.settings.study import load

ROOT = Path(__file__).parents[3]
ENERGY = ROOT / "examples/papers/energy"


def test_a_paper_that_changes_is_read_as_it_is_now(tmp_path):
    shutil.copytree(ENERGY, tmp_path / "mine")
    file = tmp_path / "mine/claims.yaml"
    right = file.read_text()
    assert right.count("\ncriteria:") == 1

    def book():
        return read_papers({"./mine": "full"}, tmp_path, Problems(Path("params.yaml")))[1]

    before = book()
    file.write_text(right.replace("\ncriteria:", "\ncriterions:"))
    with pytest.raises(ParamsError, match="criterions: no such key"):
        book()
    file.write_text(right.replace("criterion: FPR95 lower by >= 5 points", "criterion: FPR95 lower by any points", 1))
    after = book()
    file.write_text(right)

    assert "any points" in after.criteria["Sebo-1"].text
    assert "any points" not in before.criteria["Sebo-1"].text
    assert book() == before


def test_a_study_knows_what_its_papers_call_their_entries_and_those_of_the_papers_that_it_does_not_list(files):
    own = "detectors: {mine: {use: msp}}\nwords: {mine: our score}\n" + GRADES
    other = "detectors: {theirs: {use: msp}}\nwords: {theirs: their score}\n" + GRADES

    read, _ = files(common=COMMON + "words: {pgd: PGD, pgd_*: PGD}\n", one=own, two=other)

    assert read.words == {"pgd": "PGD", "pgd_*": "PGD", "mine": "our score", "theirs": "their score"}


def test_words_for_an_entry_that_the_file_lacks_are_refused_with_the_place_and_the_nearest(files):
    with pytest.raises(ParamsError) as caught:
        files(one="detectors: {mine: {use: msp}}\nwords: {mein: our score}\n" + GRADES)

    message = str(caught.value)
    assert "one/experiment.yaml:2" in message and "words.mein: no entry called mein in this file" in message
    assert "mine" in message.partition("in this file")[2]


def test_words_may_be_of_an_entry_that_a_grade_adds(files):
    grades = "grades: {smoke: {}, quick: {change: {detectors: {more: {use: msp}}}}}\n"

    assert files(one="words: {more: another score}\n" + grades)[0].words == {"more": "another score"}


def test_words_change_no_job_but_the_report():
    study = load("tiny", ROOT)
    with_words, without = (Plan(one).tasks for one in (study, replace(study, words={})))

    assert study.words["cnn_pgd"] == "the PGD-trained CNN"
    assert {task.step for path, task in with_words.items() if task != without[path]} == {"report"}
