"""What is said of a figure that a paper published: confirmed only at its own scale, else a direction."""

from dataclasses import replace

import pytest
from hand_made_claims import ASKED, asks, book, networks, row, verdicts

from touchstone.claims.judging import StudyClaims, judge

SCALES = {"scales": ["P9-1"]}
ITSELF = {"itself": ["S9-1"]}
NET = {"net": {"model": {"component": "maxout", "units": 240}}}
AT_SCALE = SCALES | {"paper_scale": {"P9-1": {"data": "mnist", "settings": NET}}}
DIFFERENCE = {"unit": "difference of fractions"}


def figure(rows, claims=None, data="other", itself=(), **blocks):
    return verdicts(rows, claims, data, itself, **blocks)["P9-1"]


def two(first, second, **more):
    """The rows of two criteria, on the sets a and b, and who plays their roles."""
    made = [networks(value, examples=name, **more) for name, value in (("a", first), ("b", second)) if value]
    return [row for rows in made for row in rows], {
        f"S9-{place}": {"net": "cnn", "examples": name} for place, name in enumerate("ab", 1)
    }


# --- at the paper's own scale -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("value", "word"), [(0.9, "confirmed"), (0.8, "inconclusive"), (0.7, "not confirmed")])
def test_a_figure_has_the_word_of_what_measures_it_on_the_papers_data_and_network(value, word):
    assert figure(networks(value), S9_1=asks(at_least=0.8, no_effect=0.5) | AT_SCALE, **ITSELF).word == word


def test_a_study_of_other_data_or_another_network_confirms_no_figure():
    assert figure(networks(0.9), S9_1=asks(at_least=0.8, no_effect=0.5) | AT_SCALE).word == "same direction"


@pytest.mark.parametrize(("test", "word"), [(0, "confirmed"), (1, "not confirmed")])
def test_a_figure_about_one_network_is_judged_by_the_numbers_of_that_network(test, word):
    tests = [{"name": "strong", "at_least": 0.8}, {"name": "weak", "metric": "b", "at_least": 0.8}]
    scale = {"P9-1": {"data": "mnist", "settings": NET, "tests": [test]}}
    rows = [*networks(0.9), *networks(0.5, metric="b")]

    found = figure(rows, S9_1={"tests": tests, "paper_scale": scale} | SCALES, **ITSELF)

    assert (found.word, found.parts[0].title) == (word, ["strong", "weak"][test])


def test_no_other_measurement_changes_what_the_papers_own_scale_says():
    rows, claims = two(0.9, 0.1)
    block = asks(at_least=0.8, no_effect=0.5)

    found = figure(rows, claims, S9_1=block | AT_SCALE, S9_2=block | SCALES, **ITSELF)

    assert (found.word, found.judged_by) == ("confirmed", ("S9-1", "S9-2"))
    assert found.parts[0].quantity.about == "cnn on a"


def test_of_two_measurements_at_the_papers_scale_the_weaker_decides():
    rows, claims = two(0.9, 0.7)
    block = asks(at_least=0.8) | AT_SCALE

    assert figure(rows, claims, S9_1=block, S9_2=block, itself=["S9-1", "S9-2"]).word == "not confirmed"


def test_a_bound_for_the_papers_data_confirms_nothing_on_other_data():
    block = asks(at_least={"mnist": 0.8}, no_effect=0.5) | AT_SCALE

    assert figure(networks(0.9), data="mnist", S9_1=block, **ITSELF).word == "confirmed"
    assert figure(networks(0.9), data="digits", S9_1=block, **ITSELF).word == "same direction"


# --- on other data or another network -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "low", "high", "word"),
    [
        ({"at_least": 0.8}, 0.85, 0.95, "same direction"),  # and the criterion is confirmed
        ({"at_least": 0.8}, 0.6, 0.7, "same direction"),  # although the criterion is not
        ({"at_least": 0.8}, 0.45, 0.9, "inconclusive"),
        ({"at_least": 0.8}, 0.3, 0.49, "opposite direction"),
        ({"above": 0.8}, 0.6, 0.7, "same direction"),
        ({"at_most": 0.2}, 0.3, 0.4, "same direction"),
        ({"below": 0.2}, 0.6, 0.7, "opposite direction"),
    ],
)
def test_elsewhere_a_figure_has_a_direction_that_ends_where_there_is_no_effect(asked, low, high, word):
    rows = networks((low + high) / 2, low, high)

    assert figure(rows, S9_1=asks(**asked, no_effect=0.5) | SCALES).word == word


@pytest.mark.parametrize(
    ("value", "word"), [(0.05, "same direction"), (0.01, "inconclusive"), (-0.05, "opposite direction")]
)
def test_the_direction_of_a_difference_ends_at_0(value, word):
    assert figure(networks(value, **DIFFERENCE), S9_1=asks(at_least=0.4) | SCALES).word == word
    # Where no effect is elsewhere, it ends there.
    assert figure(networks(value - 0.1, **DIFFERENCE), S9_1=asks(at_least=0.4, no_effect=-0.1) | SCALES).word == word


@pytest.mark.parametrize("asked", [{"at_least": 0.8}, {"between": [0.1, 0.95], "no_effect": 0.5}, {}])
def test_a_number_without_a_direction_is_reported(asked):
    found = figure(networks(0.9), S9_1=asks(**asked) | SCALES)

    assert found.word == "reported"
    assert found.notes[-1] == "its criteria measure no direction"


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ((0.9, 0.7), "same direction"),
        ((0.9, 0.5), "inconclusive"),
        ((0.5, 0.3), "opposite direction"),
        ((0.9, None), "same direction"),
        ((None, None), "not run"),
    ],
)
def test_of_several_criteria_the_weakest_that_was_run_gives_the_direction(values, word):
    rows, claims = two(*values)
    block = asks(at_least=0.8, no_effect=0.5) | SCALES

    assert figure(rows, claims, S9_1=block, S9_2=block).word == word


def test_of_several_numbers_of_one_criterion_the_weakest_gives_the_direction():
    tests = [{"name": "high", "at_least": 0.8, "no_effect": 0.5}, {"name": "low", "metric": "b", "at_most": 0.8}]
    tests[1] |= {"no_effect": 0.5}

    for value, word in ((0.1, "same direction"), (0.7, "opposite direction")):
        rows = [*networks(0.9), *networks(value, metric="b")]
        assert figure(rows, S9_1={"tests": tests} | SCALES).word == word


def test_the_number_that_gives_the_direction_stands_first():
    tests = [
        {"name": "in a range", "metric": "b", "between": [-0.1, 0.1]},
        {"name": "low", "at_most": 0.3, "no_effect": 0.5},
    ]
    rows = [*networks(0.0, metric="b"), *networks(0.1)]

    found = figure(rows, S9_1={"tests": tests} | SCALES)

    assert found.word == "same direction"
    assert [part.name for part in found.parts] == ["low", "in a range"]


@pytest.mark.parametrize(("left", "attacker"), [(0.1, "broken"), (0.9, "survives")])
def test_the_number_that_breaks_a_claim_gives_no_direction(left, attacker):
    attack = {"breaks": {"name": "left", "metric": "left", "below": 0.2, "no_effect": 0.5}, "broken_by": ["S9-1"]}
    rows = [*networks(0.9), *networks(left, metric="left")]

    found = figure(rows, S9_1=asks(at_least=0.8, no_effect=0.5) | SCALES | attack)

    assert (found.word, found.attacker) == ("same direction", attacker)


def test_fewer_than_three_networks_have_no_direction():
    assert figure(networks(0.9, seeds=(0, 1)), S9_1=asks(at_least=0.8, no_effect=0.5) | SCALES).word == "inconclusive"


def test_the_range_of_the_seeds_has_no_direction():
    assert figure(networks(0.9, method="range"), S9_1=asks(at_least=0.8, no_effect=0.5) | SCALES).word == "inconclusive"


def test_a_stuck_attack_has_no_direction():
    stuck = {"metric": "no_gradient", "at_most": 0.05}
    rows = [*networks(0.9), *networks(0.8, metric="no_gradient")]

    found = figure(rows, S9_1=asks(at_least=0.8, no_effect=0.5, stuck=stuck) | SCALES)

    assert (found.word, found.attacker) == ("inconclusive", "upper bound only")


def test_what_cannot_come_out_otherwise_is_true_by_construction_also_of_the_paper():
    block = asks(equals=0.9) | {"met": "true by construction"} | SCALES

    assert figure([row(0.9)], S9_1=block).word == "true by construction"


# --- both axes, and figures that nothing measures -----------------------------------------------------------------


def test_a_figure_is_as_attacked_as_the_worst_of_its_criteria():
    guarded = asks(at_least=0.8, no_effect=0.5) | SCALES
    attack = asks("SR", metric="evasion_rate", above=0.5)

    for rate, attacker in ((0.7, "broken"), (0.1, "survives"), (0.51, "undecided")):
        rows = [*networks(0.9), *networks(rate, metric="evasion_rate")]
        found = figure(rows, S9_1=guarded | {"broken_by": ["S9-3"]}, S9_2=guarded, S9_3=attack)
        assert (found.word, found.attacker) == ("same direction", attacker)


def test_a_figure_lists_the_words_of_its_criteria():
    rows, claims = two(0.9, 0.7)
    block = asks(at_least=0.8, no_effect=0.5) | SCALES

    found = figure(rows, claims, S9_1=block, S9_2=block)

    assert found.notes == ("S9-1 confirmed; S9-2 not confirmed",)


def test_a_figure_whose_criteria_were_not_run_gives_their_reason():
    found = figure([], {"S9-1": "Needs days."}, S9_1=asks(at_least=0.8) | SCALES)

    assert (found.word, found.notes, found.attacker) == ("not run", ("S9-1 not run", "Needs days."), "does not apply")


def test_a_figure_that_no_criterion_scales_down_gives_the_papers_reason_why():
    found = verdicts(networks(0.9), S9_1=asks(at_least=0.8))["P9-1"]
    assert (found.word, found.notes) == ("not run", ("no criterion scales it down",))

    reason = "it needs a machine that nobody has"
    made = book(S9_1=asks(at_least=0.8))
    made = replace(made, published={"P9-1": replace(made.published["P9-1"], unmeasured=reason)})
    found, _ = judge(made, StudyClaims("other", {"main": "robustness"}, {"S9-1": ASKED}), networks(0.9))
    assert (found.word, found.notes) == ("not run", (reason,))


@pytest.mark.parametrize("seeds", [(0,), (0, 1)])
@pytest.mark.parametrize(
    ("value", "more"),
    [(0.8, {}), (0.9, {"at_least": {"mnist": 0.8}}), (0.3, {"stuck": {"metric": "no_gradient", "at_most": 0.05}})],
    ids=["open", "reported", "stuck"],
)
def test_fewer_than_three_networks_point_nowhere_whatever_else_is_open(value, more, seeds):
    block = asks(**{"at_least": 0.8, "no_effect": 0.5} | more) | SCALES
    rows = [*networks(value, seeds=seeds), *networks(0.5, metric="no_gradient", seeds=seeds)]

    assert figure(rows, S9_1=block).word == "inconclusive"
