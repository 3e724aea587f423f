"""Why a verdict is open, in words."""

import pytest
from hand_made_claims import asks, networks, row, verdicts

from touchstone.claims.sentences import undecided
from touchstone.statistics.wording import plain

SCALES = {"scales": ["P9-1"]}


def open_reason(rows, claim="S9-1", **asked):
    return plain(undecided(verdicts(rows, S9_1=asks(**asked) | SCALES)[claim]))


def test_an_interval_that_contains_the_bound_is_the_reason_with_the_bound():
    assert (
        open_reason(networks(0.8), at_least=0.79) == "the interval of accuracy lies on both sides of the bound (≥ 79 %)"
    )


def test_too_few_networks_are_the_reason_of_the_number_that_has_too_few():
    assert open_reason([row(0.9)], at_least=0.5) == "accuracy: 1 seed"


@pytest.mark.parametrize("value", [0.9, 0.1])
def test_a_decision_needs_no_reason(value):
    assert open_reason(networks(value), at_least=0.5) == ""


def test_a_published_figure_is_open_where_the_interval_contains_no_effect():
    assert open_reason(networks(0.5), claim="P9-1", at_least=0.8, no_effect=0.51).endswith("contains no effect (0.51)")
