"""Axis 1: the word that a claim gets from its numbers, their intervals and the number of networks."""

from dataclasses import replace

import pytest
from hand_made_claims import ASKED, asks, mean, networks, one, role, row

from touchstone.claims.sentences import said
from touchstone.claims.verdicts import FEWEST_SEEDS
from touchstone.claims.words import ATTACKERS, STATUSES, in_words

AT_LEAST = asks(at_least=0.8)


@pytest.mark.parametrize(
    ("comparison", "low", "high", "word"),
    [
        ({"at_least": 0.8}, 0.81, 0.9, "holds"),
        ({"at_least": 0.8}, 0.8, 0.9, "holds"),
        ({"at_least": 0.8}, 0.79, 0.9, "inconclusive"),
        ({"at_least": 0.8}, 0.7, 0.8, "inconclusive"),
        ({"at_least": 0.8}, 0.6, 0.79, "fails"),
        ({"above": 0.8}, 0.81, 0.9, "holds"),
        ({"above": 0.8}, 0.8, 0.9, "inconclusive"),
        ({"above": 0.8}, 0.7, 0.8, "fails"),
        ({"at_most": 0.2}, 0.1, 0.2, "holds"),
        ({"at_most": 0.2}, 0.1, 0.3, "inconclusive"),
        ({"at_most": 0.2}, 0.21, 0.3, "fails"),
        ({"below": 0.2}, 0.1, 0.19, "holds"),
        ({"below": 0.2}, 0.1, 0.2, "inconclusive"),
        ({"below": 0.2}, 0.2, 0.3, "fails"),
        ({"between": [0.3, 0.7]}, 0.3, 0.7, "holds"),
        ({"between": [0.3, 0.7]}, 0.6, 0.8, "inconclusive"),
        ({"between": [0.3, 0.7]}, 0.1, 0.9, "inconclusive"),
        ({"between": [0.3, 0.7]}, 0.71, 0.9, "fails"),
        ({}, 0.1, 0.9, ""),
    ],
)
def test_the_word_follows_from_where_the_whole_interval_lies(comparison, low, high, word):
    assert one(networks((low + high) / 2, low, high), asks(**comparison)).word == word


# --- how many networks --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [0.9, 0.5])
@pytest.mark.parametrize(("count", "note"), [(1, "1 seed"), (2, "2 seeds")])
def test_fewer_than_three_networks_decide_nothing(value, count, note):
    verdict = one(networks(value, seeds=range(count)), AT_LEAST)

    assert (verdict.word, verdict.notes) == ("inconclusive", (note,))


@pytest.mark.parametrize(("value", "word"), [(0.9, "holds"), (0.5, "fails")])
def test_three_networks_decide(value, word):
    assert FEWEST_SEEDS == 3
    assert one(networks(value, seeds=range(3)), AT_LEAST).word == word


@pytest.mark.parametrize(("seeds", "word"), [((0, 1), "inconclusive"), ((0, 1, 2), "holds")])
def test_three_networks_are_needed_also_where_each_has_to_pass(seeds, word):
    verdict = one(networks(0.9, seeds=seeds), AT_LEAST | {"seeds": "each"})

    assert (verdict.word, verdict.notes) == (word, () if word == "holds" else ("2 seeds",))


@pytest.mark.parametrize("comparison", [{"at_least": 0.8}, {"at_most": 0.8}, {"between": [0.1, 0.3]}])
@pytest.mark.parametrize("value", [0.2, 0.9])
def test_the_range_of_the_seeds_is_no_interval_and_decides_nothing(comparison, value):
    verdict = one(networks(value, method="range"), asks(**comparison))

    assert (verdict.word, verdict.holm) == ("inconclusive", None)
    assert verdict.notes == ("the brackets are the least and the greatest seed, not an interval",)
    assert verdict.parts[0].notes == verdict.notes


def test_a_difference_to_a_single_network_says_why_it_has_no_interval():
    verdict = one(networks(0.9, method="range", images=200), AT_LEAST)

    assert verdict.word == "inconclusive"
    assert verdict.notes[0].endswith("not an interval: one side is a single network, whose variance is unknown")


def test_the_range_of_the_seeds_is_enough_where_every_seed_has_to_be_equal():
    assert one(networks(0.9, method="range"), asks(equals=0.9)).word == "holds"


def test_the_range_of_one_number_of_two_is_named():
    tests = [{"name": "accuracy", "at_least": 0.8}, {"name": "a count", "metric": "b", "at_least": 0.8}]
    rows = [*networks(0.9), *networks(0.9, metric="b", method="range")]

    assert one(rows, {"tests": tests}).notes == (
        "the brackets of a count are the least and the greatest seed, not an interval",
    )


def test_a_number_without_a_network_needs_no_seeds():
    assert one([row(0.9, seed=None)], AT_LEAST).word == "holds"


def test_a_number_that_is_only_reported_needs_no_seeds():
    verdict = one([row(0.9)], asks())

    assert (verdict.word, verdict.notes) == ("", ())


def test_a_few_networks_of_one_number_leave_the_whole_claim_open():
    tests = [{"name": "many", "at_least": 0.8}, {"name": "few", "metric": "error", "at_most": 0.2}]
    rows = [*networks(0.9), *networks(0.1, metric="error", seeds=(0, 1))]

    verdict = one(rows, {"tests": tests})

    assert (verdict.word, verdict.notes[0]) == ("inconclusive", "2 seeds")
    assert [(part.title, part.word) for part in verdict.parts] == [("few", "inconclusive"), ("many", "holds")]


@pytest.mark.parametrize(("value", "word"), [(0.5, "holds"), (0.5001, "fails")])
def test_what_has_to_be_equal_is_compared_by_its_value_alone_and_needs_no_seeds(value, word):
    assert one([row(value, 0.1, 0.9)], asks(equals=0.5)).word == word


@pytest.mark.parametrize(("other", "word"), [(0.5, "holds"), (0.49, "fails")])
def test_what_has_to_be_equal_is_equal_on_every_seed_and_has_their_extremes_as_ends(other, word):
    rows = [row(0.5, 0.1, 0.9), row(1 - other, 0.4, 0.6, seed=1), row(other, 0.4, 0.6, seed=2), mean(0.5, 0.2, 0.8)]

    verdict = one(rows, asks(equals=0.5))

    (part,) = verdict.parts
    assert (verdict.word, part.method) == (word, "none")
    assert (part.quantity.low, part.quantity.high) == (other, 1 - other)


def test_a_tolerance_is_how_far_each_network_may_be_off():
    rows = [row(0.51, seed=0), row(0.49, seed=1), row(0.5, seed=2), mean(0.5)]

    assert one(rows, asks(equals=0.5, tolerance=0.011)).word == "holds"
    assert one(rows, asks(equals=0.5, tolerance=0.009)).word == "fails"


# --- what is asked ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("claims", "note"),
    [
        ({}, "the study names nothing for net (classifiers), examples (examples)"),
        ({"S9-1": {"net": "cnn"}}, "the study names nothing for examples (examples)"),
        ({"S9-1": "No network is trained so."}, "No network is trained so."),
    ],
)
def test_a_claim_that_is_not_asked_says_why(claims, note):
    verdict = one(networks(0.9), AT_LEAST, claims=claims)

    assert (verdict.word, verdict.notes) == ("not run", (note,))
    assert verdict.attacker == ""


def test_what_a_claim_needs_must_hold_for_it_to_be_run():
    need = {"name": "accuracy", "at_least": 0.95}

    verdict = one(networks(0.9), AT_LEAST | {"needs": [need]})

    assert verdict.word == "not run"
    assert verdict.notes == ("its precondition is not met: accuracy 90.0\u202f% [88.0, 92.0], asked ≥ 95\u202f%",)


def test_what_a_claim_needs_is_met_by_its_value_whatever_its_interval():
    need = {"name": "accuracy", "at_least": 0.89}

    assert one(networks(0.9), AT_LEAST | {"needs": [need]}).word == "holds"


def test_what_is_optional_may_be_missing_but_not_all_of_it():
    tests = [{"name": name, "entry": name, "at_least": 0.8, "optional": True} for name in ("cnn", "mlp")]

    some, none = (one(rows, {"tests": tests}) for rows in (networks(0.9), networks(0.9, entry="other")))

    assert (some.word, none.word) == ("holds", "not run")


@pytest.mark.parametrize("nets", [["cnn", "mlp"], ["mlp", "cnn"]])
def test_of_several_networks_one_without_an_optional_number_hides_none_of_the_others(nets):
    tests = [{"name": name, "metric": name, "at_least": 0.8, "optional": True} for name in ("rare", "usual")]
    rows = [*networks(0.5, metric="rare", entry="mlp"), *networks(0.9, metric="usual")]

    verdict = one(rows, {"tests": tests} | role(net="each classifiers"), claims={"S9-1": ASKED | {"net": nets}})

    assert (verdict.word, [part.name for part in verdict.parts]) == ("fails", ["rare: mlp", "usual: cnn"])


def test_a_small_data_set_has_no_word_of_its_own():
    assert one(networks(0.9, n=12), AT_LEAST).notes == ()


def test_few_successes_settle_nothing_that_their_interval_does_not():
    assert one(networks(0.01, 0.0, 0.05), asks(above=0)).word == "inconclusive"


def test_no_word_is_on_both_axes():
    assert set(STATUSES) & set(ATTACKERS) == set()
    assert "broken" in ATTACKERS


# --- the sentence of a finding ------------------------------------------------------------------------------------


def test_the_sentence_of_a_claim_has_its_numbers_in_the_order_of_its_tests():
    tests = [{"name": "first", "at_least": 0.8}, {"name": "second", "metric": "error", "at_most": 0.05}]
    rows = [*networks(0.9), *networks(0.1, metric="error")]

    own = one(rows, {"tests": tests, "says": "it is {0}, with an error of {1}"})
    usual = one(rows, {"tests": tests})

    assert own.parts[0].title == "second"  # the weakest
    assert said(own) == "it is 90.0\u202f% [88.0, 92.0], with an error of 10.0\u202f% [8.0, 12.0]"
    assert said(usual) == "s: second 10.0\u202f% [8.0, 12.0]; first 90.0\u202f% [88.0, 92.0]"
    assert said(one([], {"tests": tests, "says": "it is {0}"})) == ""


def test_the_sentence_of_a_claim_about_several_things_names_the_weakest():
    rows = [*networks(0.9), *networks(0.5, entry="mlp")]
    block = AT_LEAST | role(net="each classifiers") | {"says": "the accuracy is {0}"}

    verdict = one(rows, block, claims={"S9-1": ASKED | {"net": ["cnn", "mlp"]}})

    assert "50.0\u202f% [48.0, 52.0]" in said(verdict) and "90.0" not in said(verdict)


@pytest.mark.parametrize(
    ("asked", "extreme", "other"),
    [({"at_most": 0.3}, 0.5, 0.4), ({"at_least": 0.7}, 0.5, 0.6), ({"above": 0.7}, 0.5, 0.6)],
)
def test_at_most_stands_before_the_number_farthest_from_its_bound_and_else_the_one_that_decided(asked, extreme, other):
    """ "At most 40 %" is wrong beside 50 %, also if only the 40 % miss their bound for certain."""
    block = asks(**asked) | role(net="each classifiers") | {"says": "it is at most {0}"}
    rows = [*networks(extreme, 0.2, 0.8, entry="unsure"), *networks(other, entry="sure")]

    verdict = one(rows, block, claims={"S9-1": ASKED | {"net": ["sure", "unsure"]}})

    assert (verdict.word, verdict.parts[0].quantity.which) == ("fails", "sure")
    assert "at most 50.0" in said(verdict) and said(verdict).endswith("(unsure)")
    plain = replace(verdict, claim=replace(verdict.claim, says="it is {0}"))
    assert f"is {100 * other}" in said(plain) and said(plain).endswith("(sure)")


def test_a_sentence_has_the_number_that_breaks_its_claim_most():
    breaks = {"name": "left", "metric": "left", "above": 0.4}
    block = asks(at_least=0.1) | role(net="each classifiers") | {"breaks": breaks, "says": "{0} {breaks}"}
    nets = {"surely": (0.5, 0.45, 0.55), "most": (0.6, 0.3, 0.9)}
    rows = [
        row
        for net, ends in nets.items()
        for row in (*networks(0.5, entry=net), *networks(*ends, entry=net, metric="left"))
    ]

    verdict = one(rows, block | {"broken_by": ["S9-1"]}, claims={"S9-1": ASKED | {"net": list(nets)}})

    assert verdict.attacker == "broken"
    assert said(verdict).endswith("60.0\u202f% [30.0, 90.0] (most)")


@pytest.mark.parametrize(
    ("word", "attacker", "words"),
    [
        ("holds", "broken", "holds; attacker who knows: broken"),
        ("holds", "upper bound only", "holds; attacker who knows: upper bound only"),
        ("fails", "upper bound only", "fails"),
        ("fails", "broken", "fails; attacker who knows: broken"),
        ("holds", "does not apply", "holds"),
    ],
)
def test_an_attacker_who_found_no_more_says_nothing_of_a_claim_that_fails(word, attacker, words):
    assert in_words(word, attacker) == words
