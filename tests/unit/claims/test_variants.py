"""How far a verdict carries: the word of every variant, its gate, its interval, and how the words are counted."""

import itertools
import math

import numpy as np
import pytest
from hand_made_claims import ROLES, asks, book
from hand_made_variants import CLAIM, GATE, flagship, judged, seeded, tried, variant

from touchstone.claims.judging import StudyClaims, judge
from touchstone.claims.variant_files import in_variant, read_gate
from touchstone.claims.variants import DID_NOT_LEARN, TURNS, counts, turned
from touchstone.claims.words import FAILS, HOLDS, INCONCLUSIVE, NOT_RUN


def only(rows, settings=None, claim=CLAIM):
    (variant,) = judged(rows, settings, claim).variants
    return variant


@pytest.mark.parametrize(("robust", "word"), [(0.8, HOLDS), (0.2, TURNS), (0.49, INCONCLUSIVE), (0.51, INCONCLUSIVE)])
def test_the_word_of_a_variant_follows_from_its_whole_interval(robust, word):
    found = only([*flagship(), *variant(robust)])
    assert (found.word, found.part.quantity.value, found.notes) == (word, robust, ())


@pytest.mark.parametrize(
    ("claim", "other", "word"),
    [(0.1, 0.9, TURNS), (0.1, 0.2, FAILS), (0.8, 0.2, TURNS), (0.5, 0.9, HOLDS), (0.5, 0.1, FAILS)],
)
def test_a_variant_turns_if_it_is_decided_and_otherwise_than_the_claim(claim, other, word):
    """Of an inconclusive claim nothing can turn."""
    assert only([*flagship(robust=(claim - 0.02, claim, claim + 0.02)), *variant(other)]).word == word


def test_the_networks_of_the_claim_widen_the_interval_of_a_variant():
    """0.58 of 500 images is clear of 0.5 by its images alone, and not if networks differ by 0.1."""
    alike, apart = flagship(robust=(0.8, 0.8, 0.8)), flagship(robust=(0.7, 0.8, 0.9))
    assert only([*alike, *variant(0.58)]).word == HOLDS
    assert only([*apart, *variant(0.58)]).word == INCONCLUSIVE


@pytest.mark.parametrize("networks", [1, 2])
def test_without_three_networks_of_the_claim_a_variant_is_inconclusive(networks):
    found = only([*flagship(robust=(0.8,) * networks), *variant(0.9)])
    assert found.word == INCONCLUSIVE
    assert found.notes == ("1 seed, and the claim itself has no variance of at least 3 seeds",)


def test_a_variant_of_three_networks_is_judged_by_its_own_interval():
    rows = [*flagship(robust=(0.8,)), *seeded("other", "robust_accuracy", [0.9, 0.9, 0.9])]
    found = only([*rows, *seeded("other", "clean_accuracy", [0.9, 0.9, 0.9])])
    assert (found.word, found.part.seeds) == (HOLDS, (0, 1, 2))


def test_the_complement_of_a_share_has_the_mirrored_interval():
    error = asks(metric="1 - robust_accuracy", below=0.5)
    rows = [*flagship(), *variant(0.8)]
    straight, mirrored = only(rows).part.quantity, only(rows, claim=error).part.quantity
    assert (mirrored.low, mirrored.high) == pytest.approx((1 - straight.high, 1 - straight.low))
    assert only(rows, claim=error).word == HOLDS


@pytest.mark.parametrize(
    ("share", "robust", "word", "notes"),
    [
        (0.8, 0.8, INCONCLUSIVE, ("its attack met no gradient on 80% of the images",)),
        (0.8, 0.2, TURNS, ("its attack met no gradient on 80% of the images",)),
        (0.01, 0.8, HOLDS, ()),
    ],
)
def test_what_a_stuck_attack_leaves_in_a_variant_is_an_upper_bound(share, robust, word, notes):
    claim = CLAIM | {"tests": [each | {"stuck": {"metric": "no_gradient", "at_most": 0.05}} for each in CLAIM["tests"]]}
    rows = [*flagship(), *variant(robust), *seeded("other", "no_gradient", [share])]

    found = only(rows, claim=claim)

    assert (found.word, found.notes) == (word, notes)


# --- the gate -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("clean", "word"), [(0.96, DID_NOT_LEARN), (0.95, HOLDS), (0.85, HOLDS), (0.84, DID_NOT_LEARN)]
)
def test_a_variant_whose_clean_accuracy_is_far_from_the_claims_did_not_learn(clean, word):
    found = only([*flagship(), *variant(0.8, clean=clean)])
    assert found.word == word
    assert bool(found.notes) == (word == DID_NOT_LEARN)


def test_the_gate_says_by_how_much_a_variant_missed_it():
    assert only([*flagship(), *variant(0.8, clean=0.1)]).notes == (
        "clean accuracy 10.0\u202f%, against 90.0\u202f% of its kind",
    )


def test_a_gate_may_compare_with_another_entry_of_the_flagship():
    kind = {"one": {"kind": {"net": "mlp", "examples": "test"}}}
    rows = [*flagship(), *seeded("mlp", "clean_accuracy", [0.6] * 3), *seeded("mlp", "robust_accuracy", [0.8] * 3)]
    assert only([*rows, *variant(0.8, clean=0.62)], tried(**kind)).word == HOLDS
    assert only([*rows, *variant(0.8, clean=0.9)], tried(**kind)).word == DID_NOT_LEARN


def test_an_absolute_bound_of_the_gate_is_said_with_what_was_asked():
    settings = tried(one={})
    settings["gate"] = [{**GATE[0], "name": "accuracy", "at_least": 0.9}]
    del settings["gate"][0]["within"]
    assert only([*flagship(), *variant(0.8, clean=0.88)], settings).notes == (
        "accuracy 88.0\u202f%, asked ≥ 90\u202f%",
    )


def test_a_variant_without_its_rows_is_not_run_and_says_which_are_missing():
    found = only([*flagship(), *seeded("other", "clean_accuracy", [0.9])])
    assert (found.word, found.part) == (NOT_RUN, None)
    assert found.notes == ("missing: robust_accuracy of other on test",)


def test_a_collapse_under_attack_is_a_finding_and_no_failed_gate():
    assert only([*flagship(), *variant(0.0)]).word == TURNS


# --- several numbers ----------------------------------------------------------------------------------------------


TWO = {
    "tests": [
        {"name": "robust", "metric": "robust_accuracy", "above": 0.5},
        {"name": "surer", "metric": "confidence", "above": 0.5},
    ]
}


@pytest.mark.parametrize(("confidence", "word"), [(0.9, HOLDS), (0.5, INCONCLUSIVE), (0.1, TURNS)])
def test_of_several_numbers_the_weakest_gives_the_word_and_is_named(confidence, word):
    rows = [*flagship(robust=(0.58, 0.6, 0.62)), *seeded("cnn", "confidence", [0.9] * 3)]
    found = only([*rows, *variant(0.8), *seeded("other", "confidence", [confidence])], claim=TWO)
    assert found.word == word
    assert found.part.name == "robust"  # what decides the claim itself, in every row of the grid
    assert [note.partition(" ")[0] for note in found.notes] == ["surer"] * (confidence < 0.8)


def test_a_variant_with_an_eps_of_its_own_reads_the_rows_of_that_eps():
    asked = {"tests": [{"name": "n", "metric": "robust_accuracy", "above": 0.5, "threat": {"eps": 0.1},
                        "examples": "{examples}/union_linf@0.1"}]}  # fmt: skip

    def rows(entry, values, eps):
        about = {"examples": f"test/union_linf@{eps:g}", "threat": f"white-box linf eps={eps:g} (pgd)"}
        return seeded(entry, "robust_accuracy", values, **about)

    at_both = [*rows("cnn", [0.8] * 3, 0.1), *rows("other", [0.9], 0.05), *rows("other", [0.1], 0.1)]
    clean = [*seeded("cnn", "clean_accuracy", [0.9] * 3), *seeded("other", "clean_accuracy", [0.9])]
    assert only([*at_both, *clean], tried(one={"eps": 0.05}), asked).word == HOLDS
    assert only([*at_both, *clean], tried(one={}), asked).word == TURNS


# --- what is printed ----------------------------------------------------------------------------------------------


def words(**numbers):
    made = judged([*flagship(), *variant(0.8)], tried(**{f"v{place}": {} for place in range(8)})).variants
    named = itertools.chain.from_iterable([word.replace("_", " ")] * number for word, number in numbers.items())
    return [
        type(one)(one.name, one.changed, one.reason, word, one.part) for one, word in zip(made, named, strict=False)
    ]


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ({"holds": 5, "turns": 2, "inconclusive": 1}, "holds 5, turns 2, inconclusive 1 of 8"),
        ({"holds": 4, "turns": 2, "did_not_learn": 1}, "holds 4, turns 2 of 6 (1 more did not learn)"),
        ({"turns": 1, "did_not_learn": 1, "not_run": 2}, "turns 1 of 1 (1 more did not learn, 2 more not run)"),
        ({"did_not_learn": 3}, "none was judged (3 did not learn)"),
        ({}, ""),
    ],
)
def test_words_are_counted_and_what_did_not_learn_leaves_the_number(numbers, text):
    assert counts(words(**numbers)) == text
    assert "%" not in text


def test_a_sentence_says_where_the_verdict_turns_and_that_it_is_exploratory():
    variants = judged([*flagship(), *variant(0.2), *variant(0.8, entry="third")],
                      tried(a={}, b={"roles": {"net": "third", "examples": "test"}})).variants  # fmt: skip
    assert turned(variants).startswith("The verdict turns with change a (20.0\u202f% [")
    assert turned(variants).endswith("This is exploratory until three fresh seeds on either side agree.")
    assert turned(variants[1:]) == ""


def test_a_claim_without_variants_has_none():
    (verdict,) = judge(book(S9_1=CLAIM), StudyClaims({"main": "robustness"}, {"S9-1": {"net": "cnn", "examples": "test"}}),
                       flagship())  # fmt: skip
    assert verdict.variants == ()
    assert counts(verdict.variants) == ""


# --- coverage -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("seeds", "apart"), [(3, 0.0), (3, 0.05), (5, 0.0), (5, 0.02), (5, 0.1)])
def test_the_interval_of_one_network_holds_the_truth_as_often_as_it_says(seeds, apart):
    """Networks differ by `apart`, images are easy or hard for all of them; the mean over both is known."""
    from touchstone.evaluations.statistics.seed_intervals import ends, of_one_network, spread

    drawn, images, tries = np.random.default_rng(0), 200, 600
    held = 0
    for _ in range(tries):
        easy = drawn.normal(0, 0.3, images)
        level = drawn.normal(0, apart, seeds + 1)
        values = level[:, None] + easy + drawn.normal(0, 0.3, (seeds + 1, images))
        times = drawn.multinomial(images, np.full(images, 1 / images), 100)
        samples = values @ times.T / images
        own = spread(values[-1:].mean(axis=1), samples[-1:], images)
        others = spread(values[:-1].mean(axis=1), samples[:-1], images)
        low, high = ends(float(values[-1].mean()), *of_one_network(own, others), images, "t")
        held += low <= 0 <= high
    assert held / tries > 0.95 - 3 * math.sqrt(0.95 * 0.05 / tries)


# --- the gate as it is written ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ({"within": 0.05, "at_least": 0.9}, "needs one bound, one of within, at_least"),
        ({}, "needs one bound"),
        ({"within": -1}, "expected a number of at least 0"),
        ({"within": 0.05, "entry": "{nett}"}, "the role nett is not among net, examples. Did you mean net"),
        ({"within": 0.05, "metric": "robust_accuracy"}, "the claim itself is about this number"),
        ({"within": 0.05, "metrik": "x"}, "the key metrik is not among"),
    ],
)
def test_a_gate_that_says_nothing_is_refused(block, message):
    (claim,) = book(S9_1=CLAIM).criteria.values()
    written = {key: value for key, value in GATE[0].items() if key != "within"} | block
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        read_gate(("gate",), [written], claim)


def test_without_a_gate_nothing_is_tried():
    (claim,) = book(S9_1=CLAIM).criteria.values()
    with pytest.raises(ValueError, match="gate: must be given"):
        read_gate(("gate",), [], claim)


def test_a_variant_without_an_eps_asks_the_criterion_as_it_is():
    (claim,) = book(S9_1=CLAIM).criteria.values()
    assert in_variant(claim, {"eps": None}) is claim
    assert list(claim.roles) == list(ROLES)


def test_a_variant_of_another_eps_asks_whether_the_attack_of_that_eps_was_stuck():
    stuck = {"metric": "no_gradient", "at_most": 0.05, "threat": {"eps": 0.1}}
    claim = book(S9_1=asks(metric="robust_accuracy", above=0.5, threat={"eps": 0.1}, stuck=stuck)).criteria["S9-1"]

    (asked,) = in_variant(claim, {"eps": 0.2}).tests[0].stuck

    assert asked.rows.threat == (("eps", 0.2),)
