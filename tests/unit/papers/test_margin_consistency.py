"""The claims on margin consistency: each judged from rows made by hand to each word it can get."""

from pathlib import Path

import pytest
import yaml
from hand_made_claims import networks

from touchstone.claims import contrast_files, paper_files
from touchstone.claims.judging import StudyClaims, judge
from touchstone.claims.sentences import said
from touchstone.records.metric_rows import WHITE_BOX

FOLDER = Path(paper_files.__file__).parents[1] / "papers/margin_consistency"
FACTS = yaml.safe_load((FOLDER / "claims.yaml").read_text())
EXPERIMENT = yaml.safe_load((FOLDER / "experiment.yaml").read_text())
BOOK = paper_files.book({"margin_consistency": FACTS})
SETS = {"measured": "all", "examples": "some", "few": "few"}  # in place of data roles
COMPONENTS = {name: name for name in ("margins", "pseudo_margins", "margin_evasion", "subset_robustness")}
FIVE = (0, 1, 2, 3, 4)
UNITS = {
    "kendall_tau_gain": "difference of tau",
    "median": "pixels",
    "kendall": "rank correlation",
    "brittle_auroc": "",
}


def cast(name):
    """Return who plays the roles of a criterion, with sets in place of data roles."""
    written = EXPERIMENT["claims"]["shared"] | EXPERIMENT["claims"][name]
    return {role: SETS.get(role, written.get(role)) for role in BOOK.criteria[name].roles}


def rows(name, *numbers):
    """Return the rows of five networks for each number of a criterion, its tests first, then its needs."""
    criterion, who, made = BOOK.criteria[name], cast(name), {}
    for condition, value in zip((*criterion.tests, *criterion.needs), numbers, strict=True):
        wanted = condition.rows
        texts = {key: getattr(wanted, key).format(**who) for key in ("metric", "entry", "examples")}
        unit = next((unit for start, unit in UNITS.items() if wanted.metric.startswith(start)), "fraction")
        made[wanted.evaluation, *texts.values()] = networks(
            value, seeds=FIVE, threat=WHITE_BOX, unit=unit, evaluation=wanted.evaluation, **texts
        )
    return [one for group in made.values() for one in group]


def verdict(name, *numbers):
    study = StudyClaims(COMPONENTS, {name: cast(name)})
    return next(one for one in judge(BOOK, study, rows(name, *numbers)) if one.claim.id == name)


@pytest.mark.parametrize(("tau", "word"), [(0.6, "holds"), (0.56, "inconclusive"), (0.5, "fails")])
def test_a_network_is_margin_consistent_above_the_midpoint_of_the_papers_two(tau, word):
    found = verdict("M1", tau)

    assert (found.word, found.attacker) == (word, "does not apply")


@pytest.mark.parametrize(
    ("auroc", "fpr95", "word"),
    [
        (0.9, 0.3, "holds"),
        (0.83, 0.3, "inconclusive"),
        (0.9, 0.47, "inconclusive"),
        (0.8, 0.3, "fails"),
        (0.9, 0.6, "fails"),
    ],
)
def test_finding_brittle_inputs_takes_both_numbers(auroc, fpr95, word):
    found = verdict("M2", auroc, fpr95, 0.1, 0.2)

    assert (found.word, found.attacker) == (word, "does not apply")


@pytest.mark.parametrize(("gain", "word"), [(0.3, "holds"), (0.16, "inconclusive"), (0.05, "fails")])
def test_a_pseudo_margin_repairs_a_network_that_ranks_badly(gain, word):
    assert verdict("M3", gain, 0.3 + gain, 0.3, 0.3).word == word


def test_no_network_that_ranks_badly_leaves_nothing_to_repair():
    found = verdict("M3", 0.3, 0.9, 0.6, 0.6)

    assert found.word == "not run"


@pytest.mark.parametrize(("hidden", "word"), [(0.09, "holds"), (0.06, "inconclusive"), (0.01, "fails")])
def test_an_attacker_hides_wrong_decisions_if_more_than_5_percent_pass(hidden, word):
    found = verdict("M4", hidden, 0.7)

    assert (found.word, found.attacker) == (word, "does not apply")


def test_two_networks_decide_nothing():
    study = StudyClaims(COMPONENTS, {"M1": cast("M1")})
    made = [one for one in rows("M1", 0.8) if one.seed in (0, 1)]

    assert next(one for one in judge(BOOK, study, made) if one.claim.id == "M1").word in ("inconclusive", "not run")


def test_a_claim_without_its_numbers_is_not_run():
    study = StudyClaims(COMPONENTS, {name: cast(name) for name in BOOK.criteria})

    assert {one.word for one in judge(BOOK, study, []) if one.claim.kind != "number"} == {"not run"}


@pytest.mark.parametrize("name", BOOK.criteria)
def test_each_sentence_has_its_numbers_and_no_id(name):
    criterion = BOOK.criteria[name]
    numbers = [0.61 + 0.02 * place for place in range(len(criterion.tests))]

    sentence = said(verdict(name, *numbers, *[0.3] * len(criterion.needs)))

    assert not any(text in sentence for text in ("not measured", "differs by", "changes by", *BOOK.criteria))
    assert all(f".{100 * number:.0f}" in sentence or f"{100 * number:.1f}" in sentence for number in numbers)


def test_every_figure_is_beside_a_criterion_or_says_why_not():
    beside = {figure for one in BOOK.criteria.values() for figure in one.scales}
    reasons = {name for name, one in BOOK.published.items() if one.unmeasured}

    assert beside | reasons == BOOK.published.keys()
    assert not beside & reasons


def test_the_bounds_are_the_midpoints_of_the_notebooks_figures():
    figures = {name: BOOK.published[name].figure for name in ("P2-1", "P2-2", "P2-3")}
    assert figures["P2-1"].startswith("tau .82, AUROC 97.86") and figures["P2-1"].endswith("FPR95 13.26")
    assert figures["P2-2"].startswith("tau .28, AUROC 67.49") and figures["P2-2"].endswith("FPR95 82.56")
    bounds = {name: [test.bound for test in BOOK.criteria[name].tests] for name in ("M1", "M2", "M3")}

    assert bounds["M1"] == [pytest.approx((0.82 + 0.28) / 2)]
    assert bounds["M2"][:2] == [
        pytest.approx((0.9786 + 0.6749) / 2, abs=5e-4),
        pytest.approx((0.1326 + 0.8256) / 2, abs=5e-4),
    ]
    assert bounds["M3"][0] == pytest.approx((0.58 - 0.28) / 2)


def test_the_head_of_the_report_shows_an_attack_on_the_network_one_that_knows_the_threshold_and_no_threshold():
    (written,) = contrast_files.read(FACTS)
    tests, who = written.criterion.tests, cast(*written.of)

    assert [(test.rows.metric, test.rows.examples.format(**who)) for test in tests] == [
        ("1 - share_wrong_unflagged", "all/pgd_10"),
        ("1 - share_wrong_unflagged", "all/union"),
        ("1 - share_wrong", "all/union"),
    ]


def test_every_claim_rests_on_three_networks_of_the_flagship_or_more():
    asked = EXPERIMENT["grades"]["full"]["change"]
    seeds = {name: each["seeds"] for name, each in asked["evaluations"].items()}

    assert all(seeds[name] == list(FIVE) for name in ("margins", "margin_evasion", "subset_robustness"))
    assert seeds["margin_survey"] == seeds["pseudo_margins"] == asked["classifiers"]["cnn_mma"]["seeds"] == [0, 1, 2]
