"""Whether decisions stand when all claims of the papers are taken together (Holm), with p-values worked by hand."""

from dataclasses import replace

import pytest
from hand_made_claims import asks, mean, row, verdicts
from scipy import stats

ERROR = 0.01  # the standard error of the numbers below
ONE_OF_MANY = {"method": "t", "images": 10**6, "image_variance": ERROR**2, "seed_variance": 0, "residual_variance": 0}
AT_LEAST = {"at_least": 0.8}
OPEN = {"value": 0.8, "low": 0.7, "high": 0.9}  # at its bound


def number(p, bound=0.8, *, met=True):
    """Return the value, and the ends, of a normal number whose distance from a bound has the two-sided p-value `p`."""
    value = bound + (ERROR if met else -ERROR) * stats.norm.isf(p / 2)
    half = ERROR * stats.norm.isf(0.025)
    return {"value": value, "low": value - half, "high": value + half}


def family(*numbers, undecided=0, **of_first):
    """Return whether each claim stands, each at least .8 by one number, beside others that are inconclusive.

    Args:
        numbers: what a number is, and the keys of its row that differ.
        of_first: keys of the first criterion that differ.
    """
    listed = [*numbers, *([OPEN] * undecided)]
    names = [f"m{place}" for place in range(len(listed))]
    rows = [mean(**ONE_OF_MANY | one, metric=name) for name, one in zip(names, listed, strict=True)]
    blocks = {f"S9_{place}": asks(metric=name, **AT_LEAST) for place, name in enumerate(names, 1)}
    blocks["S9_1"] |= of_first
    found = verdicts(rows, **blocks)
    return [found[f"S9-{place}"].holm for place in range(1, len(numbers) + 1)]


@pytest.mark.parametrize(
    ("p_values", "stands"),
    [
        ((0.01, 0.03, 0.04), [True, False, False]),  # .01 <= .05/3, .03 > .05/2, and none after it
        ((0.04, 0.01, 0.02), [True, True, True]),  # .01 <= .05/3, .02 <= .05/2, .04 <= .05
        ((0.02, 0.02, 0.02), [False, False, False]),
        ((0.049,), [True]),
    ],
)
@pytest.mark.parametrize("met", [True, False])
def test_a_decision_stands_if_its_p_value_and_all_smaller_ones_are_small_enough(p_values, stands, met):
    assert family(*(number(p, met=met) for p in p_values)) == stands


def test_decisions_for_and_against_the_papers_are_taken_together():
    assert family(number(0.01, met=False), number(0.03), number(0.04, met=False)) == [True, False, False]


@pytest.mark.parametrize(("undecided", "stands"), [(0, True), (1, True), (2, False)])
def test_a_claim_that_is_inconclusive_was_looked_at_too(undecided, stands):
    assert family(number(0.02), undecided=undecided) == [stands]  # .05, .05/2, .05/3


def test_what_is_no_decision_neither_stands_nor_falls():
    assert family(OPEN, number(0.02)) == [None, True]


@pytest.mark.parametrize(
    "left_out",
    [
        {"kind": "counter"},
        {"tests": [{"name": "only reported", "metric": "m0"}]},
        {"tests": [{"name": "not there", "metric": "nobody", "at_least": 0.8}]},
    ],
    ids=str,
)
def test_only_decisions_on_the_papers_own_claims_are_in_the_family(left_out):
    assert family(number(0.001), number(0.03), **left_out) == [None, True]
    assert family(number(0.001), number(0.03), number(0.03)) == [True, False, False]


@pytest.mark.parametrize("method", ["range", "percentile", ""])
def test_a_number_whose_interval_has_no_other_confidence_is_not_in_the_family(method):
    assert family(number(0.001) | {"method": method}, number(0.04)) == [None, True]


# --- claims of several numbers ------------------------------------------------------------------------------------


def of_two(first, second, undecided, **second_asks):
    """Return whether a claim of two numbers stands beside others that are inconclusive."""
    tests = [{"name": "first", "metric": "m0", **AT_LEAST}, {"name": "second", "metric": "b", **AT_LEAST | second_asks}]
    rows = [mean(**ONE_OF_MANY | first, metric="m0"), mean(**ONE_OF_MANY | second, metric="b")]
    rows += [mean(**ONE_OF_MANY | OPEN, metric=f"open{place}") for place in range(undecided)]
    blocks = {f"S9_{place + 2}": asks(metric=f"open{place}", **AT_LEAST) for place in range(undecided)}
    verdict = verdicts(rows, S9_1={"tests": tests}, **blocks)["S9-1"]
    return verdict.word, verdict.holm


def test_a_claim_that_is_met_is_as_sure_as_its_least_sure_number():
    assert of_two(number(0.001), number(0.02), 1) == ("holds", True)  # .02 <= .05/2
    assert of_two(number(0.001), number(0.02), 2) == ("holds", False)  # .02 > .05/3


def test_a_claim_that_any_of_two_numbers_can_fail_is_half_as_sure_to_fail():
    missed = number(0.01, met=False)

    assert of_two(missed, number(0.5), 1) == ("fails", True)  # 2 * .01 <= .05/2
    assert of_two(missed, number(0.5), 2) == ("fails", False)  # 2 * .01 > .05/3


def test_chance_has_no_part_in_what_has_to_be_equal():
    """A value that every network has to equal is no estimate, so its decision stands beside any number of others."""
    equal = {"name": "equal", "metric": "b", "equals": 0.5}
    opened = {f"S9_{place + 2}": asks(metric="open", **AT_LEAST) for place in range(9)}
    for value, word in ((0.5, "holds"), (0.4, "fails")):
        for tests in ([equal], [equal, {"name": "surely met", "metric": "m0", **AT_LEAST}]):
            rows = [mean(**ONE_OF_MANY | number(1e-9), metric="m0"), mean(**ONE_OF_MANY | OPEN, metric="open")]
            verdict = verdicts([*rows, row(value, metric="b")], S9_1={"tests": tests}, **opened)["S9-1"]
            assert (verdict.word, verdict.holm) == (word, True)


def test_what_has_to_be_equal_makes_no_other_number_less_sure():
    equal = {"name": "equal", "metric": "b", "equals": 0.5}
    tests = [{"name": "missed", "metric": "m0", **AT_LEAST}, equal]
    rows = [mean(**ONE_OF_MANY | number(0.04, met=False), metric="m0"), row(0.5, metric="b")]

    assert verdicts(rows, S9_1={"tests": tests})["S9-1"].holm is True  # .04 <= .05, and not twice that


# --- p-values -----------------------------------------------------------------------------------------------------


def holds_beside(undecided, one, asked):
    """Return whether a claim of one number stands beside others that are inconclusive."""
    opened = {f"S9_{place + 2}": asks(metric="open", **AT_LEAST) for place in range(undecided)}
    rows = [one, mean(**ONE_OF_MANY | OPEN, metric="open")]
    return verdicts(rows, S9_1=asks(metric=asked.pop("metric", "m0"), **asked), **opened)["S9-1"].holm


def test_a_share_has_the_exact_tail_as_its_p_value():
    # All of 10: P(10 of 10 | .5) = 1/1024, two-sided .00195, which is below .05/25 and above .05/26.
    ten = row(1.0, 0.69, 1.0, n=10, seed=None, method="exact", metric="m0")

    assert holds_beside(24, ten, {"at_least": 0.5}) is True
    assert holds_beside(25, ten, {"at_least": 0.5}) is False


def test_networks_that_differ_have_students_tail_as_their_p_value():
    # Three networks have 2 degrees of freedom.
    value = 0.8 + stats.t.isf(0.015, 2) * ERROR
    seeds = {"seed_variance": 3 * ERROR**2, "image_variance": 0}
    one = mean(**ONE_OF_MANY | {"value": value, "low": 0.801, "high": 0.9} | seeds, metric="m0")

    assert holds_beside(0, one, dict(AT_LEAST)) is True  # .03 <= .05
    assert holds_beside(1, one, dict(AT_LEAST)) is False  # .03 > .05/2; the normal tail would be .00001


def test_a_number_between_two_bounds_is_as_sure_as_it_is_of_the_nearer_one():
    bounds = {"between": [0.8, 0.9]}

    for undecided, p, stands in ((1, 0.02, True), (1, 0.03, False)):
        for near in (number(p), number(p, 0.9, met=False)):
            assert holds_beside(undecided, mean(**ONE_OF_MANY | near, metric="m0"), dict(bounds)) is stands
        for outside in (number(p, met=False), number(p, 0.9)):
            assert holds_beside(undecided, mean(**ONE_OF_MANY | outside, metric="m0"), dict(bounds)) is stands


@pytest.mark.parametrize("comparison", ["at_most", "below"])
def test_a_number_that_has_to_be_low_is_as_sure_as_one_that_has_to_be_high(comparison):
    for undecided, stands in ((1, True), (2, False)):
        for met in (True, False):
            one = mean(**ONE_OF_MANY | number(0.02, met=met), metric="m0")
            assert holds_beside(undecided, one, {comparison: 0.8}) is stands


def test_a_complement_is_as_sure_as_the_share_itself():
    for undecided, stands in ((1, True), (2, False)):
        one = mean(**ONE_OF_MANY | number(0.02), metric="m0")
        assert holds_beside(undecided, one, {"metric": "1 - m0", "at_most": 0.2}) is stands


def test_where_each_seed_has_to_pass_the_weakest_seed_gives_the_p_value():
    each = [replace(row(**ONE_OF_MANY | number(p)), seed=seed) for seed, p in enumerate((0.001, 0.02, 0.001))]
    block = asks(**AT_LEAST) | {"seeds": "each"}

    for undecided, stands in ((1, True), (2, False)):
        opened = {f"S9_{place + 2}": asks(metric="open", **AT_LEAST) for place in range(undecided)}
        rows = [*each, mean(**ONE_OF_MANY | OPEN, metric="open")]
        assert verdicts(rows, S9_1=block, **opened)["S9-1"].holm is stands


def test_a_claim_that_any_of_three_seeds_can_fail_is_a_third_as_sure_to_fail():
    numbers = (number(0.01, met=False), number(0.02), number(0.02))
    each = [replace(row(**ONE_OF_MANY | one), seed=seed) for seed, one in enumerate(numbers)]
    block = asks(**AT_LEAST) | {"seeds": "each"}

    for undecided, stands in ((0, True), (1, False)):  # .05 and .05/2 beside 3 * .01
        opened = {f"S9_{place + 2}": asks(metric="open", **AT_LEAST) for place in range(undecided)}
        rows = [*each, mean(**ONE_OF_MANY | OPEN, metric="open")]
        verdict = verdicts(rows, S9_1=block, **opened)["S9-1"]
        assert (verdict.word, verdict.holm) == ("fails", stands)


@pytest.mark.parametrize(("p", "word"), [(0.02, "fails"), (0.03, "inconclusive")])
def test_a_claim_does_not_fail_by_one_number_of_two_that_chance_alone_may_let_miss(p, word):
    tests = [{"name": name, "metric": name, **AT_LEAST} for name in ("m0", "m1")]
    rows = [
        mean(**ONE_OF_MANY | one, metric=f"m{place}") for place, one in enumerate((number(p, met=False), number(0.5)))
    ]

    verdict = verdicts(rows, S9_1={"tests": tests})["S9-1"]

    notes = () if word == "fails" else ("of 2 numbers, chance alone may let one miss its bound",)  # 2 * .03 > .05
    assert (verdict.word, verdict.parts[0].word, verdict.parts[0].notes) == (word, word, notes)
    assert verdicts(rows[:1], S9_1={"tests": tests[:1]})["S9-1"].word == "fails"  # a number by itself
