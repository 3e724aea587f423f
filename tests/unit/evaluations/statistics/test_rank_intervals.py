"""Detection statistics in which some rows do not count, and of one population that each network splits otherwise."""

from functools import partial

import numpy as np
import pytest
from scipy import stats

from touchstone.evaluations.statistics import estimators, rank_intervals, seed_intervals

SAMPLING = {"resamples": 400, "seed": 0}


def normal_scores(rows, shift, seed):
    generator = np.random.default_rng(seed)
    return generator.normal(size=rows), generator.normal(shift, size=rows)


def test_counted_anomalous_rows_alone_make_the_statistics():
    id_scores, ood_scores = normal_scores(80, 1, seed=0)
    counted = np.arange(80) % 2 == 0

    found = rank_intervals.detection(id_scores, ood_scores, **SAMPLING, counted=counted)

    moved = rank_intervals.detection(id_scores, np.where(counted, ood_scores, 99.0), **SAMPLING, counted=counted)
    for name, one in found.items():
        assert one.value == estimators.point(name, id_scores, ood_scores[counted])
        np.testing.assert_array_equal(one.resampled.samples, moved[name].resampled.samples)
        assert one.resampled.drawn_from == (80, 80)


def test_all_anomalous_rows_counted_are_the_statistics_without_counting():
    scores = normal_scores(60, 1, seed=0)

    every, plain = (rank_intervals.detection(*scores, **SAMPLING, counted=which) for which in (np.ones(60, bool), None))

    assert [one[:4] for one in every.values()] == [one[:4] for one in plain.values()]


def test_a_resample_without_a_counted_row_has_the_statistic_of_them_all():
    id_scores, ood_scores = np.arange(4.0), np.array([9.0, 0.0, 0.0, 0.0])
    counted = np.arange(4) == 0

    found = rank_intervals.detection_samples(id_scores, ood_scores, **SAMPLING, counted=counted)["auroc"]

    assert set(found) == {1}


@pytest.mark.parametrize("statistic", list(estimators.STATISTICS))
def test_one_population_that_is_split_has_the_statistics_of_both_parts_of_each_resample(statistic):
    generator = np.random.default_rng(2)
    scores, anomalous = generator.integers(0, 6, 30).astype(float), generator.random(30) < 0.4

    found = rank_intervals.split_detection(scores, anomalous, resamples=40, seed=5)[statistic]

    drawn = np.random.default_rng([5]).integers(0, 30, (40, 30))
    of = partial(estimators.point, statistic)
    assert found.value == of(scores[~anomalous], scores[anomalous])
    expected = [of(scores[rows][~anomalous[rows]], scores[rows][anomalous[rows]]) for rows in drawn]
    np.testing.assert_allclose(found.resampled.samples, expected, atol=1e-14)
    assert (found.resampled.drawn_from, found.method) == ((30,), seed_intervals.SCORE)


def test_a_resample_that_misses_one_kind_of_row_has_the_statistic_of_them_all():
    found = rank_intervals.split_detection(np.array([0.0, 1.0, 2.0]), np.array([True, False, False]), **SAMPLING)

    assert set(found["auroc"].resampled.samples) == {0.0}
    assert found["auroc"].low == 0 < found["auroc"].high


def perfectly_caught(images=300, few=10):
    """Return the statistics of scores by which `few` anomalous images are caught, of resampled successes and of a split."""
    anomalous = np.arange(images) < few
    scores = np.where(anomalous, 9.0, 0.0) + np.linspace(0, 1, images)
    counted = rank_intervals.detection(np.linspace(0, 1, images), scores, **SAMPLING, counted=anomalous)
    return counted, rank_intervals.split_detection(scores, anomalous, **SAMPLING)


def test_ten_images_that_all_are_caught_show_no_more_than_ten_can():
    for caught in perfectly_caught():
        low, high = seed_intervals.ends(1.0, 0.0, 299, 10, seed_intervals.SCORE)
        assert caught["auroc"][:3] == (1.0, low, high) and low < 0.75
        assert caught["fpr95_id"].high == pytest.approx(1 - low)


def test_two_detectors_that_agree_on_ten_images_may_differ_as_much_as_ten_images_allow():
    scores = np.linspace(0, 1, 300)

    same = rank_intervals.detection_difference(
        (scores, scores), (scores, scores), **SAMPLING, statistics=("auroc",), counted=np.arange(300) < 10
    )["auroc"]

    assert same.value == 0 and -same.low == same.high == pytest.approx(1.96**2 / (10 + 1.96**2), abs=1e-3)


# --- images and versions of the same images -----------------------------------------------------------------------


def versions(correlation, rows, generator):
    """Return scores of clean images and of their attacked versions, whose AUROC is .76 whatever the correlation."""
    clean, own = generator.normal(size=(2, rows))
    return clean, 1 + correlation * clean + np.sqrt(1 - correlation**2) * own


@pytest.mark.parametrize("correlation", [-0.9, 0.0, 0.9])
def test_the_interval_of_images_and_their_attacked_versions_contains_the_truth(correlation):
    truth, generator = stats.norm.cdf(np.sqrt(0.5)), np.random.default_rng(3)
    covered = {True: 0, False: 0}
    for _ in range(400):
        scores = versions(correlation, 100, generator)
        for paired in covered:
            one = rank_intervals.detection(*scores, resamples=200, seed=0, paired=paired)["auroc"]
            covered[paired] += one.low <= truth <= one.high

    assert 0.92 <= covered[True] / 400 <= 0.98
    # Resampled apart, opposed scores are covered too seldom and like ones too often.
    apart = covered[False] / 400
    assert apart < 0.9 if correlation < 0 else apart > 0.985 if correlation > 0 else 0.92 <= apart <= 0.98


def test_the_interval_of_pairs_is_that_of_resampled_pairs():
    clean, attacked = versions(-0.5, 40, np.random.default_rng(0))

    one = rank_intervals.detection(clean, attacked, resamples=30, seed=7, paired=True)["auroc"]

    drawn = np.random.default_rng([7, 0]).integers(0, 40, (30, 40))
    expected = [estimators.point("auroc", clean[rows], attacked[rows]) for rows in drawn]
    np.testing.assert_allclose(one.resampled.samples, expected, atol=1e-14)
    assert one.resampled.drawn_from == (40,)


def test_the_difference_of_two_detectors_on_pairs_is_resampled_by_pairs():
    sides = [versions(correlation, 40, np.random.default_rng(0)) for correlation in (-0.5, 0.5)]

    both = rank_intervals.detection_difference(*sides, **SAMPLING, statistics=("auroc",), paired=True)["auroc"]

    one, other = (rank_intervals.detection(*side, **SAMPLING, paired=True)["auroc"].resampled for side in sides)
    np.testing.assert_array_equal(both.resampled.samples, one.samples - other.samples)
    assert both.resampled.drawn_from == (40,)


def test_different_numbers_of_images_are_no_pairs():
    with pytest.raises(ValueError, match="3 images and 4 versions of them are no pairs"):
        rank_intervals.detection(np.zeros(3), np.ones(4), **SAMPLING, paired=True)
