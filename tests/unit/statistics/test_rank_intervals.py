"""Detection statistics in which some rows do not count, and of one population that each network splits otherwise."""

import numpy as np
import pytest

from touchstone.statistics import estimators, rank_intervals, seed_intervals

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
        assert one.value == getattr(estimators, name)(id_scores, ood_scores[counted])
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
    of = getattr(estimators, statistic)
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
