"""The claims on gradient detection: what they ask, and every word that rows can give them."""

import pytest
from hand_made_claims import mean, row

from touchstone.claims import paper_files
from touchstone.claims.judging import StudyClaims, judge
from touchstone.claims.verdicts import (
    BROKEN,
    DOES_NOT_APPLY,
    FAILS,
    HOLDS,
    INCONCLUSIVE,
    NOT_ATTACKED,
    NOT_RUN,
    UPPER_BOUND,
)  # fmt: skip
from touchstone.settings.papers import shipped_facts

FACTS = shipped_facts()["gradient_detection"]
BOOK = paper_files.book({"gradient_detection": FACTS})
CAST = {
    "G1": {"net": "cnn", "detector": "ours", "best": "msp", "attack": "pgd", "examples": "test", "all_test": "test"},
    "G2": {"net": "cnn", "detector": "ours", "best": "msp"},
    "G3": {"net": "cnn", "detector": "under", "best": "msp"},
    "G4": {"net": "cnn", "detector": "ours", "predicted": "predicted"},
    "G5": {"msp": "msp", "examples": "test"},
    "G6": {"net": "cnn", "detector": "ours", "trained_on": "pgd", "examples": "test"},
}
COMPONENTS = {"gain": "gain_over_best", "splits": "open_set", "evasion": "evasion"}
ATTACKED = "oblivious"
WORST = "white-box adaptive to ours@0.05, the worst of joint, mimicry, linf eps=0.1"
# The bounds, fixed before any run: (comparison, bound) of the one number that decides each claim.
BOUNDS = {
    "G1": ("above", 0.0), "G2": ("above", 0.0), "G3": ("above", 0.0), "G4": ("above", -0.02), "G5": ("above", 0.0),
    "G6": ("above", 0.5),
}  # fmt: skip
SEEDS = range(10)


def networks(value, low, high, *, seeds=SEEDS, **about):
    """The rows of several networks with one value, and that of their mean."""
    each = [row(value, low, high, seed=seed, **about) for seed in seeds]
    return [*each, mean(value, low, high, seeds=seeds, **about)]


def gains(low, high, *, seeds=SEEDS, rival="best_of_msp", entry="cnn+ours", metric="auroc", threat="none"):
    """Rows of a gain between two ends, of the method's AUROC (.9) and of that of the best baseline."""
    about = {"evaluation": "gain", "entry": entry, "examples": "mean_of_sets", "threat": threat, "seeds": seeds}
    middle = (low + high) / 2
    return [
        *networks(middle, low, high, metric=f"{metric}_minus_{rival}", unit="difference", **about),
        *networks(0.9, 0.88, 0.92, metric=metric, unit="", **about),
        *networks(0.9 - middle, 0.8, 0.95, metric=f"{metric}_of_{rival}", unit="", **about),
    ]


def attacked(low, high, **more):
    return gains(low, high, metric="auroc_successes", threat=ATTACKED, **more)


def against_predicted(low, high, **more):
    return attacked(low, high, rival="best_of_predicted", **more)


def corrupted(low, high, **more):
    return gains(low, high, entry="cnn+under", **more)


def splits(low, high, **more):
    about = {"evaluation": "splits", "examples": "test", "unit": "", "seeds": range(5)} | more
    return [
        *networks((low + high) / 2, low, high, metric="auroc_minus_msp", entry="mean_of_splits+learned",
                  **about | {"unit": "difference"}),
        *networks(0.7, 0.6, 0.8, metric="auroc", entry="mean_of_splits+learned", **about),
        *networks(0.8, 0.7, 0.9, metric="auroc", entry="mean_of_splits+msp", **about),
    ]  # fmt: skip


def evades(low, high, **more):
    about = {"evaluation": "evasion", "entry": "cnn+ours", "metric": "evasion_rate_at_0.05", "seeds": range(3)} | more
    return [
        *networks((low + high) / 2, low, high, examples="test/worst", threat=WORST, **about),
        *networks(0.2, 0.1, 0.3, examples="test/pgd", threat="white-box linf eps=0.1 steps=40 (pgd)", **about),
    ]


MADE = {"G1": attacked, "G2": gains, "G3": corrupted, "G4": against_predicted, "G5": splits, "G6": evades}


def judged(*rows, cast=CAST):
    study = StudyClaims(COMPONENTS, {name: cast.get(name, "not asked") for name in BOOK.criteria})
    return {verdict.claim.id: verdict for verdict in judge(BOOK, study, [one for part in rows for one in part])}


def test_each_claim_has_one_bound_with_its_source():
    claims = {name: criterion for name, criterion in BOOK.criteria.items() if criterion.kind != "number"}

    found = {
        name: [(test.comparison, test.bound) for test in criterion.tests if test.comparison]
        for name, criterion in claims.items()
    }
    assert found == {name: [bound] for name, bound in BOUNDS.items()}
    assert {name for name, criterion in claims.items() if criterion.kind == "counter"} == {"G6"}
    assert {name: criterion.origin.kind for name, criterion in claims.items()} == {
        "G1": "direction", "G2": "direction", "G3": "direction", "G4": "ours", "G5": "direction", "G6": "ours",
    }  # fmt: skip
    assert 6 <= len(BOOK.criteria) - len(claims) <= 8


@pytest.mark.parametrize("claim", BOUNDS)
@pytest.mark.parametrize(("shift", "word"), [(0.01, HOLDS), (-0.04, FAILS), (-0.015, INCONCLUSIVE)])
def test_a_claim_holds_or_fails_with_its_whole_interval_on_one_side(claim, shift, word):
    bound = BOUNDS[claim][1]

    verdict = judged(MADE[claim](bound + shift, bound + shift + 0.03))[claim]

    assert verdict.word == word


@pytest.mark.parametrize("claim", BOUNDS)
def test_at_the_bound_itself_a_claim_does_not_hold(claim):
    bound = BOUNDS[claim][1]

    assert judged(MADE[claim](bound, bound + 0.03))[claim].word == INCONCLUSIVE
    assert judged(MADE[claim](bound - 0.03, bound))[claim].word == FAILS


@pytest.mark.parametrize("claim", BOUNDS)
def test_two_networks_decide_nothing(claim):
    verdict = judged(MADE[claim](0.7, 0.8, seeds=range(2)))[claim]

    assert verdict.word == INCONCLUSIVE


@pytest.mark.parametrize("claim", BOUNDS)
def test_without_rows_a_claim_is_not_run(claim):
    assert judged()[claim].word == NOT_RUN
    others = [make(0.7, 0.8) for name, make in MADE.items() if name != claim]
    assert judged(*others)[claim].word == NOT_RUN


def test_an_attacker_who_knows_breaks_the_detector_of_the_gain_and_no_other():
    rows = [attacked(0.01, 0.05), gains(0.01, 0.05), evades(0.9, 0.95)]

    found = judged(*rows)
    assert (found["G1"].word, found["G1"].attacker) == (HOLDS, BROKEN)
    assert found["G6"].attacker == DOES_NOT_APPLY  # it is an attack itself
    assert found["G2"].attacker == DOES_NOT_APPLY
    other = judged(*rows, cast=CAST | {"G6": CAST["G6"] | {"detector": "other"}})
    assert other["G1"].attacker == NOT_ATTACKED


def test_an_attacker_who_gets_less_than_half_past_breaks_nothing():
    found = judged(attacked(0.01, 0.05), evades(0.3, 0.4))

    assert (found["G1"].attacker, found["G6"].word) == (UPPER_BOUND, FAILS)  # a better attack may


@pytest.mark.parametrize("claim", BOUNDS)
def test_both_numbers_that_are_compared_stand_in_the_sentence(claim):
    says = BOOK.criteria[claim].says

    assert "{0}" in says and "{1}" in says
    assert not any(word in says for word in ("differs", "changes by", "G1", "gradients_on", "cnn"))


def test_figures_are_those_that_were_read():
    found = {name: figure.figure for name, figure in BOOK.published.items()}

    assert (found["P0-1"], found["P0-7"], found["P0-8"]) == ("+19.8 %", "+2.7 %", "+35.6 %")
    assert all("up to" in BOOK.published[name].setting for name in ("P0-1", "P0-2", "P0-7", "P0-8"))
    assert "copied" in BOOK.criteria["G5"].origin.source
