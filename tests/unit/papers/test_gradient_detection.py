"""What the claims on gradient detection ask, and what breaks them; they are judged in test_claims.py."""

import pytest
from hand_made_claims import shipped

from touchstone.claims.judging import judge
from touchstone.claims.words import (
    BROKEN,
    DOES_NOT_APPLY,
    FAILS,
    HOLDS,
    INCONCLUSIVE,
    NOT_ATTACKED,
    NOT_RUN,
    UPPER_BOUND,
)

PAPER = shipped()["G"]
# The bounds, fixed before any run: (comparison, bound) of the one number that decides each claim.
BOUNDS = {
    "G1": ("above", 0.0), "G2": ("above", 0.0), "G3": ("above", 0.0), "G4": ("above", -0.02), "G5": ("above", 0.0),
    "G6": ("above", 0.5),
}  # fmt: skip


def test_each_claim_has_one_bound_with_its_source():
    claims = {name: criterion for name, criterion in PAPER.book.criteria.items() if criterion.kind != "number"}

    found = {
        name: [(test.comparison, test.bound) for test in criterion.tests if test.comparison]
        for name, criterion in claims.items()
    }
    assert found == {name: [bound] for name, bound in BOUNDS.items()}
    assert {name: criterion.origin.kind for name, criterion in claims.items()} == {
        "G1": "direction", "G2": "direction", "G3": "direction", "G4": "ours", "G5": "direction", "G6": "ours",
    }  # fmt: skip
    assert all("{0}" in one.says and ("{1}" in one.says or "{2}" in one.says) for one in claims.values())
    assert 6 <= len(PAPER.book.criteria) - len(claims) <= 8


@pytest.mark.parametrize("claim", BOUNDS)
def test_at_the_bound_itself_a_claim_does_not_hold(claim):
    bound = BOUNDS[claim][1]

    assert PAPER.verdict(claim, {0: (bound, bound + 0.03)}).word == INCONCLUSIVE
    assert PAPER.verdict(claim, {0: (bound - 0.03, bound)}).word == FAILS


@pytest.mark.parametrize("claim", BOUNDS)
def test_the_numbers_of_the_other_claims_are_not_those_of_this_one(claim):
    assert PAPER.verdict(claim, None, **{name: {} for name in BOUNDS if name != claim}).word == NOT_RUN


def test_an_attacker_who_knows_breaks_the_detector_of_the_gain_and_no_other():
    numbers = {"G1": {0: 0.03}, "G2": {0: 0.03}, "G6": {0: 0.92}}
    made = [one for claim, of in numbers.items() for one in PAPER.rows(claim, of)]

    def judged(**casts):
        return {one.claim.id: one for one in judge(PAPER.book, PAPER.study(*numbers, **casts), made)}

    found = judged()
    assert (found["G1"].word, found["G1"].attacker) == (HOLDS, BROKEN)
    assert found["G6"].attacker == DOES_NOT_APPLY  # it is an attack itself
    assert found["G2"].attacker == DOES_NOT_APPLY
    assert judged(G6=PAPER.cast("G6") | {"detector": "other"})["G1"].attacker == NOT_ATTACKED


def test_an_attacker_who_gets_less_than_half_past_breaks_nothing():
    assert PAPER.verdict("G1", {0: 0.03}, G6={0: 0.35}).attacker == UPPER_BOUND  # a better attack may


def test_figures_are_those_that_were_read():
    found = {name: figure.figure for name, figure in PAPER.book.published.items()}

    assert (found["P0-1"], found["P0-7"], found["P0-8"]) == ("+19.8 %", "+2.7 %", "+35.6 %")
    assert all("up to" in PAPER.book.published[name].setting for name in ("P0-1", "P0-2", "P0-7", "P0-8"))
    assert "copied" in PAPER.book.criteria["G5"].origin.source
