"""What a claim found, and why a verdict is open, in words."""

import re
from dataclasses import replace

import pytest
from hand_made_claims import ASKED, ROLES, asks, networks, role, row, verdicts

from touchstone.claims.sentences import open_because, said
from touchstone.evaluations.statistics.wording import plain

SCALES = {"scales": ["P9-1"]}


def open_reason(rows, **asked):
    return plain(open_because(verdicts(rows, S9_1=asks(**asked) | SCALES)["S9-1"]))


def test_an_interval_that_contains_the_bound_is_the_reason_with_the_bound():
    assert (
        open_reason(networks(0.8), at_least=0.79) == "the interval of accuracy lies on both sides of the bound (≥ 79 %)"
    )


def test_too_few_networks_are_the_reason_of_the_number_that_has_too_few():
    assert open_reason([row(0.9)], at_least=0.5) == "accuracy: 1 seed"


@pytest.mark.parametrize("value", [0.9, 0.1])
def test_a_decision_needs_no_reason(value):
    assert open_reason(networks(value), at_least=0.5) == ""


NETS = {"S9-1": ASKED | {"net": ["cnn", "mlp"]}}


def said_of_two(says, rows, *tests, **more):
    block = {"tests": [{"name": "accuracy", **test} for test in tests], "says": says} | role(net="each classifiers")
    return plain(said(verdicts(rows, claims=NETS, S9_1=block | more)["S9-1"]))


def of_two(cnn, mlp, **more):
    return [*networks(cnn, **more), *networks(mlp, entry="mlp", **more)]


def test_a_number_without_a_bound_is_of_the_network_that_decides():
    rows = [*of_two(0.9, 0.7), *of_two(0.1, 0.2, metric="error"), *of_two(0.3, 0.4, metric="other")]

    sentence = said_of_two("{1}, {0}, {2}", rows, {"at_least": 0.8}, {"metric": "error"}, {"metric": "other"})

    assert sentence == "20.0 % [18.0, 22.0] (mlp), 70.0 % [68.0, 72.0], 40.0 % [38.0, 42.0]"


def test_a_bound_of_its_own_keeps_a_number_at_its_own_weakest_network():
    rows = [*of_two(0.9, 0.7), *of_two(0.3, 0.1, metric="error")]

    sentence = said_of_two("{0}, {1}", rows, {"at_least": 0.8}, {"metric": "error", "at_most": 0.2})

    assert sentence == "70.0 % [68.0, 72.0] (mlp), 30.0 % [28.0, 32.0] (cnn)"


def test_a_number_without_a_bound_that_names_no_such_network_is_the_first():
    rows = [*of_two(0.9, 0.7), *networks(0.1, entry="rbf", metric="error")]
    other = {"metric": "error", "entry": "{other}"}
    roles = {"roles": ROLES | {"net": "each classifiers", "other": "classifiers"}}
    block = {"tests": [{"name": "a", "at_least": 0.8}, {"name": "b", **other}], "says": "{0}, {1}"} | roles

    verdict = verdicts(rows, claims={"S9-1": NETS["S9-1"] | {"other": "rbf"}}, S9_1=block)["S9-1"]

    assert plain(said(verdict)) == "70.0 % [68.0, 72.0] (mlp), 10.0 % [8.0, 12.0]"


@pytest.mark.parametrize("values", [(0.9, 0.7), (0.7, 0.9)])
@pytest.mark.parametrize("bound", [{"at_least": 0.8}, {}])
def test_a_sentence_may_ask_for_each_thing_in_an_order_that_no_value_changes(values, bound):
    sentence = said_of_two("{0:each}", of_two(*values), bound)

    assert re.sub(r" \[.*?\]", "", sentence) == f"{values[0]:.1%} (cnn) and {values[1]:.1%} (mlp)".replace("%", " %")


def test_of_several_things_of_which_none_decides_each_is_told():
    assert said_of_two("{0}", of_two(0.9, 0.7), {}) == "90.0 % [88.0, 92.0] (cnn) and 70.0 % [68.0, 72.0] (mlp)"


def test_a_number_without_an_interval_is_not_said_to_have_one_around_the_bound():
    assert open_reason([replace(row(0.9), low=None, high=None)], at_least=0.5) == "accuracy: it has no interval"
