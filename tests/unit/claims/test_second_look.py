"""A second look: an open claim, judged again by wider intervals, and how often two looks together are wrong."""

from dataclasses import replace

import numpy as np
import pytest
from hand_made_claims import ASKED, asks, book, mean, one, row

from touchstone.claims.judging import StudyClaims, judge
from touchstone.claims.measurements import Quantity, at_confidence
from touchstone.claims.verdicts import CONFIRMED, INCONCLUSIVE, NOT_CONFIRMED, status
from touchstone.report.claim_files import claim_rows, claims_csv
from touchstone.report.claim_table import page_lines
from touchstone.statistics import seed_intervals
from touchstone.statistics.power import SECOND_LOOK

AT_LEAST = asks(at_least=0.8)


def estimate(value, *, seeds=(0, 1, 2, 3, 4), images=1000, parts=(0.0, 1e-4, 0.0)):
    spread = seed_intervals.Spread(len(seeds), images, *parts)
    low, high = seed_intervals.ends(value, spread.variance, spread.df, images, seed_intervals.PLAIN)
    return replace(
        mean(value, low, high, seeds=seeds), method=seed_intervals.PLAIN, images=images, seed_variance=parts[0],
        image_variance=parts[1], residual_variance=parts[2],
    )  # fmt: skip


def networks(value, **more):
    whole = estimate(value, **more)
    return [whole, *(row(value, seed=seed) for seed in whole.seeds)]


def looks(rows, second_look=("S9-1",), **blocks):
    made = book(**(blocks or {"S9_1": AT_LEAST}))
    asked = StudyClaims("other", {"main": "robustness"}, {"S9-1": ASKED}, second_look)
    return made, judge(made, asked, rows)


@pytest.mark.parametrize(
    ("value", "first", "second"),
    [
        (0.821, CONFIRMED, INCONCLUSIVE),
        (0.825, CONFIRMED, CONFIRMED),
        (0.8, INCONCLUSIVE, INCONCLUSIVE),
        (0.779, NOT_CONFIRMED, INCONCLUSIVE),
        (0.775, NOT_CONFIRMED, NOT_CONFIRMED),
    ],
)
def test_a_second_look_is_judged_by_wider_intervals(value, first, second):
    assert one(networks(value), AT_LEAST).word == first
    assert looks(networks(value))[1][1].word == second


def test_a_second_look_says_so_wherever_its_interval_is_shown():
    made, found = looks(networks(0.825), S9_1=AT_LEAST | {"scales": ["P9-1"]})
    rows = claim_rows(found, 20)
    ((shown,), _) = page_lines(made, found, rows)

    assert shown.note == "second look, judged by 97.5 % intervals"
    assert "mean of 5 seeds; its 97.5 % interval in brackets" in shown.numbers[0].number.title
    assert "second look, judged by 97.5 % intervals" in claims_csv(made, found).decode()
    assert (rows[0].low, rows[0].high) == pytest.approx((0.825 - 0.02245, 0.825 + 0.02245), abs=1e-4)


def test_a_first_look_does_not_mention_looks():
    made, found = looks(networks(0.825), second_look=())

    assert found[1].notes == ()
    assert found[1].holm is True
    ((shown,), _) = page_lines(made, found, claim_rows(found, 20))
    assert "95 % interval" in shown.numbers[0].number.title


def test_a_second_look_does_not_say_what_stands_together_with_claims_that_it_does_not_judge():
    assert looks(networks(0.9))[1][1].holm is None


def test_numbers_that_are_no_estimates_keep_their_ends():
    whole = replace(networks(0.9)[0], method="range")

    assert at_confidence(whole, SECOND_LOOK) == whole


def test_a_claim_that_lacks_its_rows_is_not_looked_at():
    (_, found) = looks([row(0.9, metric="other")])[1]

    assert found.word == "not run" and "second look" not in "".join(found.notes)


# --- how often two looks are wrong --------------------------------------------------------------------------------


def wrong_rate(second, seed_sd, confidence=SECOND_LOOK, rounds=5000):
    """Return how often two looks confirm a claim whose truth is a hair below its bound.

    Without a hair, they refute it as often, so the rate is half of how often they decide. The second look sees the
    networks and images of the first, and more.

    Args:
        second: the seeds and images of the second look; the first has 3 and 60.
        seed_sd: how much networks differ; images differ by .5, and what remains by .5.
        confidence: of the second look.
        rounds: how often.
    """
    draws = np.random.default_rng(0)
    ((condition,),) = (criterion.tests for criterion in book(S9_1=asks(at_least=0.0)).criteria.values())
    words = []
    for _ in range(rounds):
        seeds, images = second
        values = draws.normal(0, seed_sd, (seeds, 1)) + draws.normal(0, 0.5, (1, images))
        values = values + draws.normal(0, 0.5, (seeds, images))
        word = word_of(condition, values[:3, :60], seed_intervals.CONFIDENCE, draws)
        words.append(word_of(condition, values, confidence, draws) if word == INCONCLUSIVE else word)
    return (rounds - words.count(INCONCLUSIVE)) / rounds / 2


def resampled(images, count, draws):
    """How often each image is in each of some bootstrap samples: multinomial, and ten times as fast as numpy's."""
    chosen = draws.integers(images, size=(count, images)) + images * np.arange(count)[:, None]
    return np.bincount(chosen.ravel(), minlength=count * images).reshape(count, images)


def word_of(condition, values, confidence, draws):
    seeds, images = values.shape
    weights = resampled(images, 60, draws) / images
    spread = seed_intervals.spread(values.mean(axis=1), values @ weights.T, images)
    whole = estimate(float(values.mean()), seeds=range(seeds), images=images, parts=spread[2:])
    judged = at_confidence(replace(whole, unit="difference of fractions"), confidence)  # no share is below 0
    return status(condition, 0.0, Quantity(judged.value, judged.low, judged.high, judged))


@pytest.mark.parametrize(("second", "seed_sd"), [((6, 60), 0.3), ((4, 240), 0.05)])
def test_two_looks_together_are_wrong_in_less_than_five_per_cent(second, seed_sd):
    assert wrong_rate(second, seed_sd) <= 0.05


def test_two_looks_by_the_first_interval_would_be_wrong_more_often():
    assert wrong_rate((6, 60), 0.3, confidence=seed_intervals.CONFIDENCE) > 0.05
