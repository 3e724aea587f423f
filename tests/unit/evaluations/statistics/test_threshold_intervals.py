"""Intervals at a threshold that other images gave: by the delta method, and against intervals at a fixed threshold."""

import numpy as np
import pytest
from scipy import stats

from touchstone.evaluations.statistics import intervals, rows, seed_intervals
from touchstone.evaluations.statistics.threshold_intervals import (
    Threshold,
    less_threshold,
    of_detector,
    resampled_threshold,
    share_at,
)  # fmt: skip
from touchstone.evaluations.statistics.thresholds import threshold_at
from touchstone.records.nouns import Cell, Detector, Scores

SCORES = np.random.default_rng(0).normal(size=400)
FIXED = Threshold(0.5, np.full(intervals.RESAMPLES, 0.5), 100)
CLEAN = np.random.default_rng(1).normal(size=200)


def held_out(values, order=slice(None)):
    ids = np.arange(len(values))
    return Scores(values[order], ids[order], np.zeros(len(values), np.int64))


def detector(**thresholds):
    return Detector({}, {"use": "msp"}, thresholds, spread=1.0, supervised=False)


def five_percent(values=CLEAN, order=slice(None), **more):
    fitted = detector(**{"0.05": threshold_at(np.sort(values), 0.05)})
    return of_detector(fitted, held_out(values, order), **more)["0.05"]


# --- the threshold ------------------------------------------------------------------------------------------------


def test_a_threshold_has_the_standard_error_of_a_quantile():
    values = np.random.default_rng(0).normal(size=4000)

    found = five_percent(values)

    quantile = stats.norm.ppf(0.95)
    assert found.samples.std() == pytest.approx(np.sqrt(0.05 * 0.95 / 4000) / stats.norm.pdf(quantile), rel=0.15)
    assert found.samples.mean() == pytest.approx(found.value, abs=0.02)
    assert found.images == 4000


def test_the_threshold_that_is_used_is_the_one_that_was_stored():
    found = of_detector(detector(**{"0.05": 7.0, "0.01": 9.0}), held_out(CLEAN))

    assert {rate: one.value for rate, one in found.items()} == {"0.01": 9.0, "0.05": 7.0}
    assert found["0.01"].samples.mean() > found["0.05"].samples.mean()


def test_every_network_has_the_same_calibration_images_in_a_resample():
    other = five_percent(10 + 2 * CLEAN, np.random.default_rng(2).permutation(200))  # as a file in another order

    np.testing.assert_allclose(other.samples, 10 + 2 * five_percent().samples)


def test_calibration_images_are_drawn_apart_from_those_that_are_tested_on():
    of_images = intervals.mean(CLEAN, resamples=1000, seed=0).resampled.samples

    found = resampled_threshold(0.0, (CLEAN,), np.mean)

    assert abs(np.corrcoef(found.samples, of_images)[0, 1]) < 0.1


# --- numbers at it ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("among", [None, np.arange(400) % 3 == 0])
def test_at_a_threshold_that_does_not_move_a_share_has_the_resamples_of_other_shares(among):
    hits = (SCORES > 0.5) & (SCORES < 2)

    found = share_at(FIXED, SCORES, below=False, above=SCORES < 2, among=among)

    expected = intervals.share(hits, among)
    assert found.value == expected.value
    np.testing.assert_allclose(found.resampled.samples, expected.resampled.samples)


def test_a_threshold_that_moves_adds_the_variance_of_what_lies_near_it():
    scores = stats.norm.ppf((np.arange(2000) + 0.5) / 2000)
    threshold = five_percent(np.random.default_rng(4).normal(size=1000))

    found = share_at(threshold, scores, below=True, above=False)

    # Delta method: the share below has the slope of the density at the threshold.
    share, slope = found.value, stats.norm.pdf(threshold.value)
    expected = share * (1 - share) / 2000 + slope**2 * threshold.samples.var()
    assert np.var(found.resampled.samples) == pytest.approx(expected, rel=0.25)
    assert np.var(intervals.share(scores <= threshold.value).resampled.samples) < 0.6 * expected


def test_what_calibration_images_show_by_chance_does_not_average_out_over_networks():
    """Ten networks that agree on every score: the mean is no better known than one of them."""
    cells = [Cell(None, f"net.{seed}", entry="net", seed=seed, examples="test") for seed in range(10)]
    one = share_at(five_percent(), SCORES, below=True, above=False)

    *_, mean = rows.with_means([rows.row("it", one, cell=cell, n=400, files=[cell]) for cell in cells])

    assert mean.image_variance == pytest.approx(one.resampled.samples.var(ddof=1))
    assert (mean.seed_variance, mean.residual_variance) == pytest.approx((0, 0), abs=1e-12)


@pytest.mark.parametrize("hit", [True, False])
def test_a_share_of_none_or_all_is_bounded_by_its_own_images(hit):
    far = share_at(FIXED, SCORES - 100, below=hit, above=not hit)  # of 400 images, at a threshold from 100

    assert far[:3] == pytest.approx((float(hit), *seed_intervals.ends(float(hit), 0, 399, 400, seed_intervals.SCORE)))
    cells = [Cell(None, f"net.{seed}", entry="net", seed=seed, examples="test") for seed in range(2)]
    table = rows.with_means([rows.row("it", far, cell=cell, n=400, files=[cell]) for cell in cells])
    assert [row.images for row in table] == [400, 400, 400]


def test_infinite_scores_are_on_one_side_of_every_threshold():
    infinite = share_at(five_percent(), np.array([np.inf, -np.inf, -np.inf, np.inf]), below=True, above=False)

    assert infinite.value == 0.5


def test_a_share_that_is_known_better_than_its_rounded_scores_is_kept():
    assert share_at(FIXED, SCORES, below=True, above=False, value=0.25).value == 0.25


def test_a_mean_less_its_threshold_varies_by_both():
    threshold = five_percent()

    found = less_threshold(threshold, SCORES, unit=2.0)

    assert found.value == pytest.approx((SCORES - threshold.value).mean() / 2)
    expected = (SCORES.var() / 400 + threshold.samples.var()) / 4
    assert np.var(found.resampled.samples) == pytest.approx(expected, rel=0.15)
    assert found.method == seed_intervals.PLAIN
