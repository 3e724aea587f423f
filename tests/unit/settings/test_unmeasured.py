"""A claim whose numbers the study's own settings leave out is found before any job."""

import copy
from pathlib import Path

import pytest

from touchstone.claims import paper_files
from touchstone.evaluations.statistics import estimators
from touchstone.settings.study import load
from touchstone.settings.unmeasured import STATISTICS, unmeasured

ROOT = Path(__file__).parents[3]


def reasons(study, claim, book):
    cast = study["claims"][claim]
    return [] if isinstance(cast, str) else [reason for _, reason in unmeasured(book.criteria[claim], cast, study)]


@pytest.mark.parametrize("name", ["tiny", "digits", "fashion_mnist", "fashion_mnist_resnet"])
def test_every_claim_whose_roles_a_study_gives_is_measured(name):
    study = load(name, ROOT).settings
    book = paper_files.book(study["papers"])
    asked = [claim for claim, roles in study["claims"].items() if not isinstance(roles, str)]

    assert asked and {claim: found for claim in asked if (found := reasons(study, claim, book))} == {}


def test_the_statistics_are_those_that_evaluations_make():
    assert tuple(estimators.STATISTICS) == STATISTICS


EXAMPLE = "examples/papers/three_papers.yaml"
DAMAGES = {  # what is left out: (study, claim, evaluation, its setting, the new value, what is said)
    "the other side of a difference": (
        "fashion_mnist", "G5", "open_set", "detectors", [], "no evaluation that uses open_set names",
    ),
    "a statistic": (
        EXAMPLE, "Sebo-1", "energy_differences", "statistics", ["auroc"], "no evaluation that uses paired_detection measures fpr95_id",
    ),
    "an attack": ("fashion_mnist", "F3", "one_step_training", "attacks", [], "no evaluation that uses robustness names"),
    "a detector": (EXAMPLE, "Sebo-1", "energy_differences", "detectors", ["msp"], "no evaluation that uses paired_detection names energy"),
}  # fmt: skip


@pytest.mark.parametrize(("name", "claim", "evaluation", "setting", "value", "words"), DAMAGES.values(), ids=DAMAGES)
def test_a_number_that_the_settings_leave_out_is_found(name, claim, evaluation, setting, value, words):
    whole = load(name, ROOT).settings
    book = paper_files.book(whole["papers"])
    study = copy.deepcopy(whole)
    use = study["evaluations"][evaluation]["use"]
    for block in study["evaluations"].values():
        if block["use"] == use:
            block[setting] = value

    assert reasons(whole, claim, book) == []
    assert reasons(study, claim, book)[0].startswith(words)


def test_a_claim_of_a_question_that_the_study_leaves_out_says_so():
    study = copy.deepcopy(load("digits", ROOT).settings)
    study["evaluations"] = {"data_sheet": study["evaluations"]["data_sheet"]}

    assert (
        reasons(study, "G1", paper_files.book(study["papers"]))[0] == "no evaluation of this study uses gain_over_best"
    )
