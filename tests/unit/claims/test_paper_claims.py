"""The claims of the shipped papers: which there are, what they ask, and that every change of a criterion says why."""

import math
import re

import pytest

from touchstone.claims import paper_files
from touchstone.claims.criteria import KINDS
from touchstone.claims.verdicts import STATUSES
from touchstone.settings import papers
from touchstone.settings.files import read_yaml
from touchstone.settings.sections import sections

HOW_MANY = {"P0": 8, "S0": 9, "P1": 5, "S1": 12, "P2": 8, "S2": 12, "P3": 18, "S3": 20, "P4": 4, "S4": 16}
IDS = [f"{family}-{number}" for family, count in HOW_MANY.items() for number in range(1, count + 1)] + [
    *("S0-11", "S0-12"),
    "S1-13",
    *("S1-14", "S1-15", "S1-16", "S1-17", "S1-18", "S2-13", "S2-14", "S4-17", "S4-18"),
]
# Fixed before any run; a change here is a change of the question, and its criterion says so under `revised`.
BOUNDS = {
    "S0-1": [("at_least", 0.95), ("at_least", 0.9)],
    "S0-6": [("above", 0.5)],
    "S0-7": [("between", (0.6, 0.9))],
    "S1-2": [("at_least", 0.0)],
    "S1-3": [("at_most", 0.35)],
    "S1-5": [("at_most", 0.08)],
    "S1-6": [("at_least", -0.01), ("at_least", -0.01), ("at_least", -0.01)],
    "S1-7": [("at_most", 0.005)],
    "S1-8": [("at_least", -0.005), ("at_least", -0.005)],
    "S2-1": [("at_least", {"fashion_mnist": 0.55, "digits": 0.6})],
    "S2-2": [("at_least", 0.9)],
    "S2-3": [("at_most", 0.45)],
    "S2-5": [("at_least", 0.85), ("at_least", 0.85), ("at_least", 0.85), ("at_least", 0.85)],
    "S2-6": [("between", (-0.05, 0.05))],
    "S2-8": [("at_least", 0.1)],
    "S3-1": [("at_least", {"fashion_mnist": 0.97, "digits": 0.9})],
    "S3-2": [("at_least", {"fashion_mnist": 0.8}), ("at_least", {"fashion_mnist": 0.6})],
    "S3-3": [("at_least", 0.9), ("equals", 0.0)],
    "S3-6": [("between", (-0.15, 0.15)), ("at_least", 0.25)],
    "S3-7": [("below", 0.05), ("below", 0.0), ("above", 0.0)],  # was without the last
    "S3-8": [("at_least", 0.4)],
    "S3-9": [("at_least", -0.01), ("at_least", 0.6)],
    "S3-10": [("at_least", 0.6), ("at_most", 0.01)],
    "S3-12": [("at_least", -0.005)],
    "S3-13": [("at_least", 0.95)],
    "S4-1": [("at_least", 0.4)],
    "S4-2": [("equals", 0.0)],
    "S4-3": [("at_least", -0.05), ("between", (0.03, 0.07))],
    "S4-5": [("at_least", 0.2), ("below", 0.0)],
    "S4-6": [("at_least", 0.4)],
    "S4-7": [("below", 0.2)],
    "S4-8": [("at_least", 0.1)],
    "S4-10": [("at_least", 0.05)],
    "S4-11": [("at_least", 0.2)],
}  # fmt: skip
# Bounds of the second edition that the first did not have, or had otherwise.
SINCE_THE_FIRST_EDITION = {
    "S0-2": [("at_least", 0.85), ("at_least", 0.05), ("at_least", 0.0)],  # was without the last
    "S0-12": [("at_least", 0.0)],  # for a time the last bound of S0-2
    "S0-9": [("at_least", 0.0)],
    "S0-8": [("at_least", {"cifar10": 0.0135}), ("at_least", {"cifar10": 0.099})],
    "S1-1": [("at_least", 0.8)],  # its second part is S1-13
    "S1-9": [("at_least", {"cifar10": 0.292, "cifar100": 0.233})],
    "S0-3": [("at_least", 0.0)] * 4,  # was of one detector, now of one per kind of anomaly
    # S1-4 is of the softmax, as in the first edition. Between them it was of four scores, which have claims of their own now.
    **{name: [("at_least", -0.02)] * 2 + [("at_least", 0.3)] for name in ("S1-4", "S1-15", "S1-16", "S1-17")},
    "S1-11": [("above", 0.0)] * 4,
    "S1-12": [("at_least", 0.3)] * 3,
    "S1-13": [("at_most", 0.2)],
    "S1-14": [("at_least", 0.5)],
    "S2-4": [("above", 0.0)],  # was a difference of two networks' tau, at least .05
    "S2-7": [("at_most", 0.0)],  # was an error of at most .04; now it is compared with half of a plain sample's
    "S2-9": [("above", 0.05)],  # was above 0
    "S2-10": [
        ("at_least", {"cifar10": 0.77}), ("at_least", {"cifar10": 0.95}), ("at_most", {"cifar10": 0.2}),
        ("at_most", {"cifar10": 0.38}), ("at_least", {"cifar10": 0.15}),
    ],
    "S2-11": [("at_most", 0.0)],
    "S2-12": [("at_least", 0.36)],
    "S1-18": [("at_least", 0.3)],
    "S2-13": [("at_most", 0.05)],
    "S2-14": [("at_most", 0.025)],
    "S4-17": [("at_least", 0.4)],
    "S4-18": [("below", 0.0)],
    "S3-4": [("at_least", 0.7), ("at_most", 0.4), ("above", 0.4)],  # was without the last, which breaks it
    "S3-5": [("below", {"mnist": 0.0})],
    "S3-11": [("at_most", 0.0), ("above", 0.0)],  # was without the last, which breaks it
    "S3-14": [("at_most", 0.05)],  # was S3-5
    "S3-15": [("at_least", 0.3)],
    "S4-4": [("at_least", 0.8)],  # of another router; that of the first edition is S4-14
    "S3-16": [("at_least", 0.1), ("above", 0.0)],
    "S3-17": [("at_most", -0.1)],
    "S3-18": [("at_least", 0.7), ("at_most", 0.4), ("above", 0.4)],
    "S3-19": [("between", (-0.15, 0.15)), ("at_least", 0.25)],
    "S3-20": [("below", 0.05), ("below", 0.0), ("above", 0.0)],
    "S4-12": [("above", {"mnist": 0.0, "cifar10": 0.0})],
    "S4-13": [("at_least", 0.1)],  # that of S4-8
    "S4-14": [("at_least", 0.8)],  # was S4-4
}  # fmt: skip
FACTS = papers.shipped_facts()
BOOK = paper_files.book(FACTS)
CRITERIA = pytest.mark.parametrize("criterion", BOOK.criteria.values(), ids=lambda criterion: criterion.id)


def of_kind(kind):
    return {name for name, criterion in BOOK.criteria.items() if criterion.kind == kind}


def test_every_claim_of_the_papers_is_there_exactly_once():
    written = [name for facts in FACTS.values() for part in ("published", "criteria") for name in facts[part]]

    assert sorted(written) == sorted(IDS)
    assert sorted([*BOOK.published, *BOOK.criteria]) == sorted(written)


def test_no_bound_has_moved():
    found = {
        name: [(test.comparison, test.bounds) for test in (*c.tests, *filter(None, [c.breaks])) if test.comparison]
        for name, c in BOOK.criteria.items()
    }

    assert {name: bounds for name, bounds in found.items() if bounds} == BOUNDS | SINCE_THE_FIRST_EDITION


def test_a_bound_that_is_new_says_since_when_and_why():
    assert {name for name in SINCE_THE_FIRST_EDITION if not BOOK.criteria[name].revised} == set()
    assert not BOUNDS.keys() & SINCE_THE_FIRST_EDITION.keys()


def test_every_change_of_a_criterion_has_a_date_the_old_text_and_the_reason():
    changes = [(name, change) for name, criterion in BOOK.criteria.items() for change in criterion.revised]

    assert len(changes) >= 13
    for name, change in changes:
        assert re.fullmatch(r"20\d\d-\d\d-\d\d", change.date), name
        assert change.was.strip() and change.why.strip() and change.was != BOOK.criteria[name].text, name


@CRITERIA
def test_every_bound_of_a_criterion_is_in_its_words(criterion):
    words = f"{criterion.setting} | {criterion.text}"
    stated = {float(number) for number in re.findall(r"(?<![\w.])\d*\.?\d+", words)}
    stated |= {number / 100 for number in stated}  # percent and points

    for test in [*criterion.tests, *filter(None, [criterion.breaks])]:
        bounds = test.bounds.values() if isinstance(test.bounds, dict) else [test.bounds]
        ends = [end for bound in bounds for end in (bound if isinstance(bound, tuple) else (bound,))]
        assert all(end in (None, 0) or any(math.isclose(abs(end), s) for s in stated) for end in ends), test.name


@CRITERIA
def test_a_criterion_uses_each_of_its_roles_and_no_others(criterion):
    # An attack names also whose attack it is: the roles of what it may break.
    broken = {role for other in BOOK.criteria.values() if criterion.id in other.broken_by for role in other.roles}
    used = {role for condition in criterion.conditions.values() for role in condition.roles}

    assert used <= set(criterion.roles) <= used | broken
    assert {role.section for role in criterion.roles.values()} <= set(sections())


@CRITERIA
def test_where_the_papers_direction_ends_a_bound_is_on_the_papers_side_of_it_or_there(criterion):
    for test in criterion.tests:
        bounds = test.bounds.values() if isinstance(test.bounds, dict) else [test.bounds]
        if test.no_effect is not None:
            assert test.comparison in ("at_least", "above", "at_most", "below"), test.name
            up = test.comparison in ("at_least", "above")
            assert all((bound >= test.no_effect) if up else (bound <= test.no_effect) for bound in bounds), test.name


def test_no_word_is_fixed_before_a_measurement_but_that_of_what_cannot_come_out_otherwise():
    assert {name for name, criterion in BOOK.criteria.items() if criterion.met != "holds"} == {"S4-2"}
    assert BOOK.criteria["S4-2"].met == "true by construction"
    assert all(criterion.tests and criterion.met in STATUSES for criterion in BOOK.criteria.values())


def test_every_published_figure_has_a_criterion_or_one_reason_why_nothing_bears_on_it():
    scaled = {name for criterion in BOOK.criteria.values() for name in criterion.scales}
    unmeasured = {name for name, figure in BOOK.published.items() if figure.unmeasured}

    assert scaled | unmeasured == set(BOOK.published)
    assert scaled & unmeasured == set()
    assert unmeasured == {"P0-2", "P0-4", "P0-6", "P3-5", "P3-14", "P3-17", "P4-4"}
    assert BOOK.criteria["S1-11"].scales == ("P1-4",) and BOOK.criteria["S3-15"].scales == ("P3-18",)


def test_the_kinds_of_claims_are_the_papers_ours_against_it_checks_and_context():
    assert of_kind("counter") == {"S0-6", "S4-6", "S4-7", "S4-11", "S4-17"}
    assert of_kind("check") == {"S1-6", "S1-7", "S1-8", "S2-13", "S3-12"}
    assert sum(len(of_kind(kind)) for kind in KINDS) == len(BOOK.criteria)


def test_only_the_papers_own_claims_stand_for_a_published_figure_or_an_attack_of_ours_on_it():
    standing = {name for name, criterion in BOOK.criteria.items() if criterion.scales}

    assert standing & (of_kind("check") | of_kind("context") | of_kind("counter")) == set()


def test_a_papers_claim_scales_down_a_figure_that_its_authors_published():
    assert {name for name in of_kind("paper") if not BOOK.criteria[name].scales} == set()
    assert {"S0-3", "S2-7", "S2-11", "S3-8"} <= of_kind("context")


def test_each_of_the_three_gains_of_the_gradient_detector_has_criteria_of_its_own():
    own = {
        figure: {name for name, one in BOOK.criteria.items() if figure in one.scales}
        for figure in ("P0-1", "P0-7", "P0-8")
    }

    assert own == {"P0-1": {"S0-2", "S0-8"}, "P0-7": {"S0-1", "S0-8"}, "P0-8": {"S0-9"}}


def test_claims_about_what_an_attack_of_ours_breaks_name_that_attack():
    asked = {**shipped_questions("gradient_detection"), **shipped_questions("translation")}

    for name, attack in (("S0-2", "S0-6"), ("S0-3", "S0-6"), ("S0-12", "S0-6"), ("S4-1", "S4-7"), ("S4-18", "S4-7")):
        own, other = asked[name], asked[attack]
        assert attack in BOOK.criteria[name].broken_by, name
        assert other.get("detector") in (None, own.get("detector"), *own.get("attack_detectors", ())), name
        assert all(own.get(role) == other.get(role) for role in ("net", "defence")), name


def shipped_questions(paper):
    return read_yaml(papers.SHIPPED / paper / "experiment.yaml")["claims"]


def test_at_the_scale_of_a_paper_a_bound_is_for_the_papers_data_only():
    at_scale = {name: criterion for name, criterion in BOOK.criteria.items() if criterion.paper_scale}

    assert at_scale.keys() == {"S2-10", "S3-5"}
    for criterion in at_scale.values():
        for scale in criterion.paper_scale.values():
            assert all(scale.data in test.bounds for test in scale.tests or criterion.tests)


def test_a_precondition_is_a_claim_of_its_own():
    clean, attacked = BOOK.criteria["S1-1"], BOOK.criteria["S1-13"]

    assert (clean.kind, clean.scales, [test.rows.metric for test in clean.tests]) == ("context", (), ["auroc_clean"])
    assert (attacked.kind, attacked.scales) == ("paper", ("P1-3",))
    bounded = [test.rows.metric for test in attacked.tests if test.comparison]
    assert bounded == ["auroc_both"]  # the clean AUROC only stands beside it


def test_the_text_of_s0_2_names_what_its_detector_has_to_exceed_first():
    criterion = BOOK.criteria["S0-2"]

    assert [condition.name for condition in criterion.needs][1:] == ["AUROC minus that of mean intensity"]
    assert criterion.text.endswith("asked only if it beats mean intensity")
