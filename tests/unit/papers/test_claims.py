"""The claims of the shipped papers: each word that rows can give them, and what their sentences say."""

import re

import pytest
from hand_made_claims import paper_of, shipped

from touchstone.claims import contrast_files, paper_files
from touchstone.claims.judging import judge
from touchstone.claims.sentences import said
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

# The one number that decides a claim, if it holds, is inconclusive and fails; what is said of an attacker who knows.
DECIDED = {
    "G1": (0.03, 0.0, -0.03, NOT_ATTACKED),
    "G2": (0.03, 0.0, -0.03, DOES_NOT_APPLY),
    "G3": (0.03, 0.0, -0.03, DOES_NOT_APPLY),
    "G4": (0.01, -0.02, -0.05, NOT_ATTACKED),
    "G5": (0.03, 0.0, -0.03, DOES_NOT_APPLY),
    "G6": (0.53, 0.5, 0.47, DOES_NOT_APPLY),
    "A1": (0.1, 0.01, -0.1, UPPER_BOUND),
    "A2": (0.1, 0.01, -0.1, UPPER_BOUND),
    "A3": (0.1, 0.01, -0.1, UPPER_BOUND),
    "A4": (0.1, 0.01, -0.1, UPPER_BOUND),
    "M1": (0.6, 0.56, 0.5, DOES_NOT_APPLY),
    "M4": (0.09, 0.06, 0.01, DOES_NOT_APPLY),
    "F1": (0.95, 0.894, 0.8, DOES_NOT_APPLY),
    "F3": (0.6, 0.31, 0.04, DOES_NOT_APPLY),
    "F5": (0.4, 0.01, -0.4, DOES_NOT_APPLY),
    "T1": (0.1, 0.01, -0.1, NOT_ATTACKED),
    "T2": (0.1, 0.01, -0.1, NOT_ATTACKED),
    "T3": (-0.1, -0.01, 0.1, NOT_ATTACKED),
    "T4": (0.1, 0.01, -0.1, DOES_NOT_APPLY),
    "T5": (0.1, 0.01, -0.1, DOES_NOT_APPLY),
    "T6": (0.1, 0.01, -0.1, DOES_NOT_APPLY),
}
CASES = [
    *((claim, {0: one}, word, knows) for claim, (*values, knows) in DECIDED.items()
      for one, word in zip(values, (HOLDS, INCONCLUSIVE, FAILS), strict=True)),
    ("A1", {(0, 0): 0.3, (0, 1): -0.1}, FAILS, UPPER_BOUND),  # on each set by itself
    ("A1", {(0, 0): 0.3, (0, 1): 0.01}, INCONCLUSIVE, UPPER_BOUND),
    # Old scores are fooled if each is below chance: one of two networks, two scores and two sets decides.
    ("A5", {0: 0.1, (0, 5): 0.2}, HOLDS, DOES_NOT_APPLY),
    ("A5", {0: 0.1, (0, 5): 0.49}, INCONCLUSIVE, DOES_NOT_APPLY),
    ("A5", {0: 0.1, (0, 5): 0.6}, FAILS, DOES_NOT_APPLY),
    # Brittle inputs are found by both numbers.
    ("M2", {0: 0.9, 1: 0.3}, HOLDS, DOES_NOT_APPLY),
    ("M2", {0: 0.83, 1: 0.3}, INCONCLUSIVE, DOES_NOT_APPLY),
    ("M2", {0: 0.9, 1: 0.47}, INCONCLUSIVE, DOES_NOT_APPLY),
    ("M2", {0: 0.8, 1: 0.3}, FAILS, DOES_NOT_APPLY),
    ("M2", {0: 0.9, 1: 0.6}, FAILS, DOES_NOT_APPLY),
    # A pseudo-margin repairs a network that ranks badly; one that does not leaves nothing to repair.
    ("M3", {0: 0.3, 1: 0.6, 2: 0.3}, HOLDS, DOES_NOT_APPLY),
    ("M3", {0: 0.16, 1: 0.46, 2: 0.3}, INCONCLUSIVE, DOES_NOT_APPLY),
    ("M3", {0: 0.05, 1: 0.35, 2: 0.3}, FAILS, DOES_NOT_APPLY),
    ("M3", {0: 0.3, 1: 0.9, 2: 0.6}, NOT_RUN, ""),
    ("F2", {0: -0.4, "breaks": 0.5}, HOLDS, UPPER_BOUND),
    ("F2", {0: -0.4, "breaks": 0.89}, HOLDS, UPPER_BOUND),
    ("F2", {0: -0.4, "breaks": 0.99}, HOLDS, BROKEN),
    ("F2", {0: 0.01, "breaks": 0.99}, INCONCLUSIVE, BROKEN),
    ("F2", {0: 0.1, "breaks": 0.5}, FAILS, UPPER_BOUND),
    ("F4", {0: 0.0, 1: -0.01}, HOLDS, UPPER_BOUND),
    ("F4", {0: 0.0, 1: -0.03}, INCONCLUSIVE, UPPER_BOUND),
    ("F4", {0: -0.2, 1: 0.0}, FAILS, UPPER_BOUND),
    ("F6", {0: -0.1, "breaks": -0.1}, HOLDS, UPPER_BOUND),
    ("F6", {0: -0.1, "breaks": 0.1}, HOLDS, BROKEN),
    ("F6", {0: 0.01, "breaks": -0.1}, INCONCLUSIVE, UPPER_BOUND),
    ("F6", {0: 0.1, "breaks": 0.1}, FAILS, BROKEN),
    ("T1", {0: 0.1, "breaks": 0.1}, HOLDS, BROKEN),
    ("T1", {0: 0.1, "breaks": -0.1}, HOLDS, UPPER_BOUND),
    ("T2", {0: 0.1, "breaks": 0.01}, HOLDS, BROKEN),
    ("T2", {0: 0.1, "breaks": 0.5}, HOLDS, UPPER_BOUND),
    ("T2", {0: 0.1, "needs": -0.2}, NOT_RUN, ""),  # a router is not judged where the oracle gains nothing
]  # fmt: skip
EVERY = {claim: criterion for paper in shipped().values() for claim, criterion in paper.book.criteria.items()}
BOUNDED = [claim for claim, criterion in EVERY.items() if criterion.kind != "number"]


@pytest.mark.parametrize(("claim", "numbers", "word", "knows"), CASES)
def test_each_word_follows_from_the_numbers(claim, numbers, word, knows):
    found = paper_of(claim).verdict(claim, numbers)

    assert (found.word, found.attacker) == (word, knows)


@pytest.mark.parametrize(("more", "knows"), [(0.1, BROKEN), (-0.1, UPPER_BOUND)])
def test_an_attacker_who_knows_breaks_translation_if_it_then_errs_more_than_adversarial_training(more, knows):
    found = paper_of("T3").verdict("T3", {0: -0.1}, T6={0: more})

    assert (found.word, found.attacker) == (HOLDS, knows)


def test_every_claim_and_counter_claim_is_judged_above_to_each_word():
    judged = {(claim, word) for claim, _, word, _ in CASES}

    assert {claim for claim, _ in judged} == set(BOUNDED)
    assert {(claim, word) for claim in BOUNDED for word in (HOLDS, INCONCLUSIVE, FAILS)} <= judged
    assert [claim for claim in BOUNDED if EVERY[claim].kind == "counter"] == ["G6", "M4", "F3", "T6"]


@pytest.mark.parametrize(("claim", "numbers"), [case[:2] for case in CASES if case[2] == HOLDS])
def test_two_networks_decide_nothing(claim, numbers):
    assert paper_of(claim).verdict(claim, numbers, seeds=(0, 1)).word in (INCONCLUSIVE, NOT_RUN)


@pytest.mark.parametrize("letter", shipped())
def test_a_claim_without_its_numbers_is_not_run(letter):
    paper = shipped()[letter]

    assert {one.word for one in judge(paper.book, paper.study(*paper.book.criteria), [])} == {NOT_RUN}


@pytest.mark.parametrize("claim", EVERY)
def test_each_sentence_has_its_numbers_and_no_id(claim):
    criterion = EVERY[claim]
    numbers = {place: 0.41 + 0.02 * place for place in range(len(criterion.tests))}

    sentence = said(paper_of(claim).verdict(claim, numbers | {"breaks": 0.7}))

    shown = [number for place, number in numbers.items() if re.search(rf"{{{place}(:each)?}}", criterion.says)]
    assert shown and all(f".{100 * one:.0f}" in sentence or f"{100 * one:.1f}" in sentence for one in shown)
    words = ("not measured", "differs", "changes by", "cnn_", "_fgsm", "gradients_on", *EVERY)
    assert not any(word in sentence for word in words)


@pytest.mark.parametrize(
    ("claim", "first", "second"),
    [
        *((f"G{number}", 1, 2) for number in range(1, 6)),
        *((f"A{number}", 1, 2) for number in range(1, 5)),
        *(("F2", 1, 2), ("F3", 1, 2), ("F4", 2, 3), ("F5", 1, 2), ("F6", 1, 2)),
        *((f"T{number}", 1, 2) for number in range(1, 7)),
    ],
)
def test_a_sentence_reverses_if_its_numbers_are_swapped(claim, first, second):
    one, other = ({first: high, second: 1 - high} for high in (0.9, 0.1))

    assert said(paper_of(claim).verdict(claim, one)) != said(paper_of(claim).verdict(claim, other))


@pytest.mark.parametrize("letter", shipped())
def test_every_figure_is_beside_a_criterion_or_says_why_not(letter):
    book = shipped()[letter].book
    beside = {figure for one in book.criteria.values() for figure in one.scales}
    reasons = {name for name, one in book.published.items() if one.unmeasured}

    assert beside | reasons == book.published.keys()
    assert not beside & reasons


@pytest.mark.parametrize("letter", shipped())
def test_the_file_of_claims_has_no_mistakes(letter):
    facts = shipped()[letter].facts

    assert [*paper_files.mistakes(facts), *contrast_files.mistakes(facts)] == []
