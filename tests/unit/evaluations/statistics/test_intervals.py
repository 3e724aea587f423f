import numpy as np
import pytest
from scipy import stats

from touchstone.evaluations.statistics import estimators, intervals, rank_intervals, seed_intervals
from touchstone.evaluations.statistics.seed_intervals import PLAIN, SIGNED

SAMPLING = {"resamples": 400, "seed": 0}
UNSEEN = stats.norm.ppf(0.975) ** 2  # UNSEEN / (n + UNSEEN): the difference that n rows without any can still hide


def normal_scores(rows, shift, seed):
    generator = np.random.default_rng(seed)
    return generator.normal(size=rows), generator.normal(shift, size=rows)


def delong_error(id_scores, ood_scores):
    """The standard error of AUROC after DeLong et al. 1988: variances of the structural components."""
    above = (ood_scores[:, None] > id_scores) + 0.5 * (ood_scores[:, None] == id_scores)
    return np.sqrt(above.mean(axis=1).var(ddof=1) / len(ood_scores) + above.mean(axis=0).var(ddof=1) / len(id_scores))


@pytest.mark.parametrize(("hits", "low", "high"), [(0, 0, 0.30850), (10, 0.69150, 1), (5, 0.18709, 0.81291)])
def test_binomial_intervals_of_ten_are_those_of_clopper_and_pearson(hits, low, high):
    found = intervals.binomial(hits, 10)

    assert found[:3] == pytest.approx((hits / 10, low, high), abs=1e-5)
    assert found.method == intervals.EXACT


def test_binomial_upper_end_of_no_success_is_the_rule_in_closed_form():
    found = intervals.binomial(0, 30)

    assert found.high == pytest.approx(1 - 0.025 ** (1 / 30), abs=1e-12)


def test_a_rate_of_no_rows_is_refused():
    with pytest.raises(ValueError, match="a rate of no rows"):
        intervals.binomial(0, 0)


def test_auroc_interval_is_as_wide_as_delongs():
    id_scores, ood_scores = normal_scores(300, 1, seed=3)

    found = rank_intervals.detection(id_scores, ood_scores, resamples=2000, seed=0)["auroc"]

    expected = 2 * 1.96 * delong_error(id_scores, ood_scores)
    assert found.high - found.low == pytest.approx(expected, rel=0.08)


def test_bootstrap_of_two_and_two_rows_reaches_every_resample_and_its_odds():
    id_scores, ood_scores = np.array([0.0, 2.0]), np.array([1.0, 3.0])

    samples = rank_intervals.detection_samples(id_scores, ood_scores, resamples=8000, seed=0)["auroc"]

    # 0 and 2 are drawn with odds 1:2:1 for (00), (02), (22), likewise 1 and 3: sixteen equally likely resamples.
    values, counts = np.unique(samples, return_counts=True)
    np.testing.assert_array_equal(values, [0, 0.5, 0.75, 1])
    np.testing.assert_allclose(counts / 8000, np.array([1, 4, 4, 7]) / 16, atol=0.02)


@pytest.mark.parametrize("statistic", list(estimators.STATISTICS))
def test_resampled_statistics_equal_the_statistic_of_the_resampled_rows(statistic):
    generator = np.random.default_rng(1)
    id_scores, ood_scores = generator.integers(0, 6, 20).astype(float), generator.integers(2, 9, 15).astype(float)

    samples = rank_intervals.detection_samples(id_scores, ood_scores, resamples=30, seed=5)[statistic]

    draws = [np.random.default_rng([5, stratum]).integers(0, rows, (30, rows)) for stratum, rows in ((0, 20), (1, 15))]
    expected = [
        estimators.point(statistic, id_scores[chosen], ood_scores[other]) for chosen, other in zip(*draws, strict=True)
    ]
    np.testing.assert_allclose(samples, expected, atol=1e-14)


def test_resamples_do_not_depend_on_how_many_are_held_at_once(monkeypatch):
    scores = normal_scores(50, 1, seed=0)
    at_once = rank_intervals.detection(*scores, **SAMPLING)

    monkeypatch.setattr(rank_intervals, "CHUNK", 700)

    in_parts = rank_intervals.detection(*scores, **SAMPLING)
    assert [one[:4] for one in in_parts.values()] == [one[:4] for one in at_once.values()]
    for name, one in in_parts.items():
        np.testing.assert_array_equal(one.resampled.samples, at_once[name].resampled.samples)


def test_another_seed_gives_another_interval_and_the_same_value():
    scores = normal_scores(50, 1, seed=0)

    found = [rank_intervals.detection(*scores, resamples=100, seed=seed)["auroc"] for seed in (0, 1)]

    assert found[0].value == found[1].value
    assert found[0][1:3] != found[1][1:3]


def test_paired_difference_of_a_detector_to_itself_is_nothing_as_far_as_so_few_rows_can_show():
    scores = normal_scores(50, 1, seed=0)

    found = rank_intervals.detection_difference(scores, scores, **SAMPLING)

    assert set(found) == set(estimators.STATISTICS)
    for one in found.values():
        assert one[:3] == pytest.approx((0, -UNSEEN / (50 + UNSEEN), UNSEEN / (50 + UNSEEN)))
        assert not one.resampled.samples.any()


def test_paired_difference_is_surer_than_two_intervals_of_one_each():
    id_scores, ood_scores = normal_scores(200, 1, seed=0)
    noise = np.random.default_rng(9)
    worse = tuple(scores + 0.3 * noise.normal(size=200) for scores in (id_scores, ood_scores))

    apart = rank_intervals.detection(id_scores, ood_scores, **SAMPLING)["auroc"]
    paired = rank_intervals.detection_difference((id_scores, ood_scores), worse, **SAMPLING)["auroc"]

    assert paired.high - paired.low < 0.6 * (apart.high - apart.low)


def test_paired_difference_of_unequal_rows_is_refused():
    with pytest.raises(ValueError, match="the same rows on both sides"):
        rank_intervals.detection_difference((np.zeros(3), np.ones(3)), (np.zeros(3), np.ones(4)), **SAMPLING)


def test_mean_interval_is_as_wide_as_the_normal_one():
    values = np.random.default_rng(0).normal(size=400)

    found = intervals.mean(values, resamples=2000, seed=0)

    assert found.value == pytest.approx(values.mean())
    assert found.high - found.low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.08)


def test_median_is_one_of_the_values_even_beside_infinities():
    found = intervals.median(np.array([0.3, np.inf, 0.1, 0.2]), **SAMPLING)

    assert found.value == 0.2
    assert found.low == 0.1
    assert found.high == np.inf


def test_kendall_interval_of_one_order_is_as_narrow_as_its_rows_allow_and_of_chance_holds_nothing():
    rising = np.arange(60.0)
    shuffled = np.random.default_rng(1).permutation(rising)

    same = rank_intervals.kendall(rising, rising**3, **SAMPLING)
    chance = rank_intervals.kendall(rising, shuffled, **SAMPLING)

    assert same[:2] == pytest.approx((1, 1 - UNSEEN / (60 + UNSEEN)))
    assert chance.low < 0 < chance.high


def test_kendall_survives_resamples_in_which_a_column_is_constant():
    mostly_missing = np.array([0.1, np.inf, np.inf])

    found = rank_intervals.kendall(mostly_missing, np.array([1.0, 2.0, 3.0]), **SAMPLING)

    assert set(found.resampled.samples.round(3)) >= {0, 1}  # 0 where a column is constant
    assert found.value == pytest.approx(stats.kendalltau([1, 2, 2], [1, 2, 3]).statistic)
    assert found.low < found.value < found.high


def test_nan_is_refused():
    with pytest.raises(ValueError, match="1 of 2 rows are NaN"):
        intervals.mean(np.array([0.0, np.nan]), **SAMPLING)


def test_95_percent_intervals_of_auroc_cover_the_truth_95_times_of_100():
    truth = stats.norm.cdf(1 / np.sqrt(2))  # AUROC of two unit normals one apart

    found = [
        rank_intervals.detection(*normal_scores(100, 1, seed), resamples=300, seed=seed)["auroc"]
        for seed in range(1000)
    ]

    covered = np.mean([interval.low <= truth <= interval.high for interval in found])
    assert 0.93 <= covered <= 0.97


def test_95_percent_intervals_of_a_mean_cover_the_truth_95_times_of_100():
    found = [
        intervals.mean(np.random.default_rng(seed).uniform(size=100), resamples=300, seed=seed) for seed in range(1000)
    ]

    covered = np.mean([interval.low <= 0.5 <= interval.high for interval in found])
    assert 0.93 <= covered <= 0.97


@pytest.mark.parametrize("decimals", [1, 8])
def test_resampled_taus_are_those_of_scipy_with_ties_and_infinities(decimals):
    generator = np.random.default_rng(0)
    first, second = generator.random(40).round(decimals), generator.random(40).round(decimals)
    first[:3] = np.inf

    pairs = rank_intervals.kendall_samples(first, second, resamples=20, seed=3)

    draws = np.random.default_rng([3]).integers(0, 40, size=(20, 40))
    expected = [stats.kendalltau(stats.rankdata(first)[rows], second[rows]).statistic for rows in draws]
    np.testing.assert_allclose(pairs, expected, atol=1e-12)


def test_many_rows_are_sorted_and_few_are_compared_pair_by_pair_with_the_same_result(monkeypatch):
    first, second = np.random.default_rng(0).random((2, 50))
    pairs = rank_intervals.kendall_samples(first, second, resamples=10, seed=0)

    monkeypatch.setattr(rank_intervals, "PAIRS", 10)

    np.testing.assert_allclose(rank_intervals.kendall_samples(first, second, resamples=10, seed=0), pairs, atol=1e-12)


def test_a_difference_of_taus_is_paired_so_that_one_of_a_column_with_itself_is_zero():
    first, second = np.random.default_rng(0).random((2, 50))

    same = rank_intervals.kendall_difference((first, second), (first, second**3), **SAMPLING)
    other = rank_intervals.kendall_difference((first, first), (first, second), **SAMPLING)

    assert same[:3] == pytest.approx((0, -UNSEEN / (50 + UNSEEN), UNSEEN / (50 + UNSEEN)))
    assert other.low < other.value < other.high
    with pytest.raises(ValueError, match="the same rows"):
        rank_intervals.kendall_difference((first, second), (first[:5], second[:5]), **SAMPLING)


# --- which images count -------------------------------------------------------------------------------------------


def test_a_share_among_some_images_is_exact_and_resamples_all_of_them():
    hits, among = np.random.default_rng(0).random((2, 300)) < [[0.5], [0.4]]

    found = intervals.share(hits, among)

    alone = intervals.binomial(int((hits & among).sum()), int(among.sum()))
    assert found[:4] == alone[:4]
    assert (found.resampled.drawn_from, found.resampled.method) == ((300,), seed_intervals.SCORE)
    # The variance of a ratio: that of its linear part over all images.
    linear = among * (hits - found.value) / among.mean()
    assert found.resampled.samples.var() == pytest.approx(linear.var() / 300, rel=0.15)


def test_images_that_do_not_count_change_no_share():
    hits, among = np.random.default_rng(0).random((2, 300)) < [[0.5], [0.4]]

    found, other = intervals.share(hits, among), intervals.share(hits | ~among, among)

    assert found[:4] == other[:4]
    np.testing.assert_array_equal(found.resampled.samples, other.resampled.samples)


def test_two_networks_for_which_other_images_count_have_resamples_of_the_same_images():
    hits = np.random.default_rng(0).random(400) < 0.5
    first, second = np.arange(400) < 390, np.arange(400) >= 10

    one, other = (intervals.share(hits, among).resampled for among in (first, second))

    assert one.drawn_from == other.drawn_from
    assert np.corrcoef(one.samples, other.samples)[0, 1] > 0.9


def test_a_resample_without_any_image_that_counts_has_the_share_of_them_all():
    hits, among = np.arange(3) == 0, np.arange(3) < 1

    assert set(intervals.share(hits, among).resampled.samples) == {1}


def test_a_mean_among_some_images_is_that_of_those_alone():
    values, among = np.random.default_rng(0).normal(size=200), np.arange(200) % 4 == 0

    found = intervals.mean(values, **SAMPLING, among=among)

    assert found.value == pytest.approx(values[among].mean())
    assert found.resampled.drawn_from == (200,)
    assert found.high - found.low == pytest.approx(2 * 1.96 * values[among].std() / np.sqrt(50), rel=0.2)


def test_images_that_do_not_count_show_nothing_where_none_of_the_others_differs():
    found = intervals.mean(np.zeros(359), **SAMPLING, method=seed_intervals.SIGNED, among=np.arange(359) < 10)

    assert found[:3] == pytest.approx((0, -UNSEEN / (10 + UNSEEN), UNSEEN / (10 + UNSEEN)))


def test_large_tables_of_draws_are_summed_in_pieces_to_the_same_sums(monkeypatch):
    values = np.random.default_rng(0).normal(size=3000)
    whole = intervals.times_drawn(3000, 300, 5).astype(np.float64) @ values

    monkeypatch.setattr(intervals, "MOST_COUNTS", 1000)
    intervals.multiplicities.cache_clear()
    times = intervals.multiplicities(3000, 300, 5)
    sums = intervals.resampled_sums(times, values)
    intervals.multiplicities.cache_clear()

    assert times.dtype == np.int16
    np.testing.assert_allclose(sums, whole, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("method", "least"), [(PLAIN, 0.93), (SIGNED, 0.9)])
@pytest.mark.parametrize("counted", [3, 5, 10])
def test_the_interval_of_a_mean_contains_the_truth_where_few_images_count(counted, method, least):
    generator, among = np.random.default_rng(0), np.arange(60) < counted
    signs = generator.choice([-1.0, 0.0, 1.0], p=[0.2, 0.4, 0.4], size=(600, 60))
    truth, draws = (0.2, signs) if method == SIGNED else (0.0, generator.normal(size=(600, 60)))

    found = [intervals.mean(values, resamples=200, seed=0, method=method, among=among) for values in draws]

    assert np.mean([each.low <= truth <= each.high for each in found]) >= least


@pytest.mark.parametrize("among", [np.arange(40) == 7, None])
def test_one_image_gives_a_mean_no_interval(among):
    values = np.full(1 if among is None else 40, 0.3)

    assert intervals.mean(values, resamples=50, seed=0, among=among) == intervals.Interval(
        pytest.approx(0.3), None, None
    )
