"""A challenge: how many images it draws, what it says, and when it contradicts a stated share."""

import numpy as np
import pytest
import torch
from scipy import stats

from touchstone.audit import attacked_again
from touchstone.audit.attacked_again import Challenge, challenge, contradiction, draw, noticed


def found(fallen, drawn, among):
    return Challenge(np.arange(drawn), np.arange(drawn) < fallen, among, 1.0)


def test_a_draw_is_repeated_by_its_seed_and_takes_each_row_at_most_once():
    rows = np.arange(0, 1000, 10)

    assert draw(rows, 30, 7).tolist() == draw(rows, 30, 7).tolist() != draw(rows, 30, 8).tolist()
    assert len(set(draw(rows, 30, 7))) == 30
    assert draw(rows, 500, 7).tolist() == rows.tolist()


def test_the_share_that_a_sample_notices():
    assert noticed(64, 1000) == "If 4.6 % of all can be fooled, it meets one with probability 0.95"
    assert noticed(64, 64) == "These are all"


@pytest.mark.parametrize(
    ("fallen", "drawn", "among", "low", "contradicts"),
    [
        (0, 64, 700, 0.9, False),  # nothing fell
        (3, 10, 10, 0.69, False),  # all were attacked, and 7 of 10 are left
        (4, 10, 10, 0.69, True),
        (1, 64, 700, 0.69, False),  # at least .04 % of 700 fell, so at most 699.7 are robust
        (20, 64, 700, 0.6, True),  # at least 20.2 % of 700 fell, so at most 558 of 1,000 are robust
        (20, 64, 700, 0.55, False),
    ],
)
def test_a_share_is_contradicted_below_its_interval(fallen, drawn, among, low, contradicts):
    ids = np.arange(500, 500 + (among if drawn == among else 1000))
    words = contradiction(found(fallen, drawn, among), ids, low)

    assert bool(words) == contradicts
    assert not words or "image 500 is said to be robust" in words


@pytest.mark.parametrize("tests", [1, 6, 22])
def test_an_honest_file_of_many_shares_is_contradicted_once_in_forty_times(tests):
    """Each share is the largest that is not contradicted: 30 % of the robust images fall, and the rest is its interval's end."""
    falls = stats.binom(64, 0.3)
    ids, low = np.arange(1000), 0.7 * 0.7
    accused = sum(falls.pmf(k) for k in range(65) if contradiction(found(k, 64, 700), ids, low, tests))

    assert 0 < tests * accused <= 0.025


def test_the_suite_fools_the_images_of_a_linear_network_within_their_margin():
    torch.manual_seed(0)
    images = torch.rand(12, 1, 1, 2) * 0.4 + 0.3
    model = lambda x: torch.stack([x[:, 0, 0, 0], x[:, 0, 0, 1]], 1)  # noqa: E731 - the margin is half the difference
    labels, margins = model(images).argmax(1), (images[:, 0, 0, 0] - images[:, 0, 0, 1]).abs() / 2
    robust = np.ones(12, bool)
    robust[3] = False

    result = challenge(model, images, labels, robust, eps=0.05, count=12, seed=1)

    assert result.among == 11
    assert 3 not in result.rows
    assert result.fallen.tolist() == (margins < 0.05).numpy()[result.rows].tolist()
    assert f"it fooled {result.count}" in str(result)


def test_fresh_seeds_differ():
    assert attacked_again.fresh_seed() != attacked_again.fresh_seed()
