from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from touchstone.evaluations.statistics import estimators

SIX_POINTS = (np.array([1.0, 2.0, 3.0]), np.array([2.0, 4.0, 5.0]))  # ID, anomalous: one tie, one pair in wrong order

# Few distinct values, so that ties are common.
scores = st.lists(st.integers(-4, 4).map(float), min_size=1, max_size=30).map(np.array)


@pytest.mark.parametrize(
    ("statistic", "expected"),
    [
        ("auroc", 7.5 / 9),  # of nine pairs seven are in order and one is tied
        ("aupr_ood", (1 + 1 + 3 / 5) / 3),
        ("aupr_id", (1 + 2 / 3 + 3 / 4) / 3),
        ("fpr95_id", 1 / 3),  # accepting all three ID rows accepts the anomalous 2
        ("fpr95_ood", 2 / 3),  # catching all three anomalous rows flags the ID rows 2 and 3
        ("detection_error", 1 / 6),  # from 4 on: a third missed, none flagged
    ],
)
def test_six_points_worked_by_hand_give_each_statistic(statistic, expected):
    id_scores, ood_scores = SIX_POINTS

    found = estimators.point(statistic, id_scores, ood_scores)

    assert found == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize(
    ("statistic", "apart", "tied"),
    [
        ("auroc", 1, 0.5),
        ("aupr_ood", 1, 0.25),
        ("aupr_id", 1, 0.75),
        ("fpr95_id", 0, 1),
        ("fpr95_ood", 0, 1),
        ("detection_error", 0, 0.5),
    ],
)
def test_separated_scores_are_perfect_and_tied_scores_are_chance(statistic, apart, tied):
    id_scores = np.zeros(30)

    found = [estimators.point(statistic, id_scores, np.full(10, value)) for value in (1.0, 0.0)]

    assert found == [apart, tied]


def test_fpr95_counts_nineteen_of_twenty_as_95_percent():
    twenty = np.arange(20.0)
    beside_the_last = np.array([18.5, 18.5, 19.5, -1.0])

    accepted = estimators.point("fpr95_id", twenty, beside_the_last)
    flagged = estimators.point("fpr95_ood", -beside_the_last, -twenty)

    assert accepted == flagged == 1 / 4  # the threshold is 18: only -1 passes it


@given(scores, scores)
def test_statistics_agree_with_scikit_learn(id_scores, ood_scores):
    truth = np.r_[np.zeros(len(id_scores)), np.ones(len(ood_scores))]
    together = np.r_[id_scores, ood_scores]

    false_alarms, caught, _ = roc_curve(truth, together, drop_intermediate=False)
    wrong_accepts, accepted, _ = roc_curve(1 - truth, -together, drop_intermediate=False)

    assert estimators.point("auroc", id_scores, ood_scores) == pytest.approx(roc_auc_score(truth, together), abs=1e-12)
    assert estimators.point("aupr_ood", id_scores, ood_scores) == pytest.approx(
        average_precision_score(truth, together), abs=1e-12
    )
    assert estimators.point("aupr_id", id_scores, ood_scores) == pytest.approx(
        average_precision_score(1 - truth, -together), abs=1e-12
    )
    assert estimators.point("fpr95_ood", id_scores, ood_scores) == false_alarms[np.argmax(caught >= 0.95 - 1e-12)]
    assert estimators.point("fpr95_id", id_scores, ood_scores) == wrong_accepts[np.argmax(accepted >= 0.95 - 1e-12)]
    assert estimators.point("detection_error", id_scores, ood_scores) == pytest.approx(
        (1 - (caught - false_alarms).max()) / 2, abs=1e-12
    )


@given(scores, scores)
def test_auroc_of_negated_scores_is_one_minus_auroc(id_scores, ood_scores):
    as_is = estimators.point("auroc", id_scores, ood_scores)

    negated = estimators.point("auroc", -id_scores, -ood_scores)

    assert negated == pytest.approx(1 - as_is, abs=1e-15)


@pytest.mark.parametrize("statistic", list(estimators.STATISTICS))
@given(id_scores=scores, ood_scores=scores)
def test_statistics_depend_on_the_order_of_scores_alone(statistic, id_scores, ood_scores):
    as_is = estimators.point(statistic, id_scores, ood_scores)

    stretched = estimators.point(statistic, np.exp(id_scores) - 7, np.exp(ood_scores) - 7)

    assert stretched == as_is
    assert 0 <= as_is <= 1


@given(scores, scores)
def test_exchanging_both_populations_and_the_sign_exchanges_the_two_conventions(id_scores, ood_scores):
    for one, other in (("fpr95_id", "fpr95_ood"), ("aupr_id", "aupr_ood"), ("auroc", "auroc")):
        as_is = estimators.point(one, id_scores, ood_scores)

        exchanged = estimators.point(other, -ood_scores, -id_scores)

        assert exchanged == pytest.approx(as_is, abs=1e-15)


@given(scores, scores)
def test_auroc_is_the_mann_whitney_statistic_over_all_pairs(id_scores, ood_scores):
    found = estimators.point("auroc", id_scores, ood_scores)

    expected = stats.mannwhitneyu(ood_scores, id_scores).statistic / (len(id_scores) * len(ood_scores))
    assert found == pytest.approx(expected, abs=1e-12)


def test_infinite_scores_are_ranked_and_not_refused():
    assert estimators.point("auroc", np.array([-np.inf, 0.0]), np.array([np.inf, 0.0])) == 7 / 8


@pytest.mark.parametrize("statistic", list(estimators.STATISTICS))
def test_nan_is_refused_with_its_count(statistic):
    with pytest.raises(ValueError, match="ood_scores: 1 of 2 rows are NaN"):
        estimators.point(statistic, np.zeros(3), np.array([0.0, np.nan]))


@pytest.mark.parametrize("statistic", list(estimators.STATISTICS))
def test_a_missing_population_is_refused_in_words(statistic):
    with pytest.raises(ValueError, match="id_scores: no rows, so nothing can be measured"):
        estimators.point(statistic, np.array([]), np.zeros(3))


def test_scores_in_two_columns_are_refused():
    with pytest.raises(ValueError, match=r"shape \(2, 2\)"):
        estimators.point("auroc", np.zeros((2, 2)), np.zeros(3))


def test_accuracy_is_the_share_of_right_predictions():
    assert estimators.accuracy(np.array([0, 1, 2, 2]), np.array([0, 1, 2, 0])) == 0.75


def test_accuracy_of_rows_without_a_class_is_refused():
    with pytest.raises(ValueError, match="1 of 2 rows have no class"):
        estimators.accuracy(np.array([0, 1]), np.array([0, -1]))


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=2, max_size=20))
def test_kendall_tau_is_scipys_tau_b(pairs):
    first, second = np.array(pairs, dtype=float).T

    if np.ptp(first) == 0 or np.ptp(second) == 0:
        with pytest.raises(ValueError, match="all equal"):
            estimators.kendall_tau(first, second)
    else:
        assert estimators.kendall_tau(first, second) == pytest.approx(stats.kendalltau(first, second).statistic)


def test_kendall_tau_counts_pairs_and_ranks_infinity_last():
    margins = np.array([0.1, 0.2, np.inf])

    assert estimators.kendall_tau(margins, np.array([1.0, 2.0, 3.0])) == 1
    assert estimators.kendall_tau(margins, np.array([3.0, 2.0, 1.0])) == -1
    assert estimators.kendall_tau(margins, np.array([1.0, 3.0, 2.0])) == pytest.approx(1 / 3)


def test_logit_margin_is_the_gap_of_the_two_greatest_logits():
    logits = np.array([[1.0, 5.0, 3.0], [2.0, 2.0, -9.0]], dtype=np.float32)

    np.testing.assert_array_equal(estimators.logit_margins(logits), [2.0, 0.0])


@pytest.mark.parametrize("order", list(permutations(range(4)))[::3])
def test_a_perfect_threshold_exists_at_every_radius_exactly_where_margins_are_consistent(order):
    input_margins = np.array([0.1, 0.2, 0.3, 0.4])  # by brute force
    logit_margins = np.array(order, dtype=float)

    separations = [
        estimators.point("auroc", -logit_margins[input_margins > eps], -logit_margins[input_margins <= eps])
        for eps in (0.1, 0.2, 0.3)
    ]

    assert (min(separations) == 1) == (estimators.kendall_tau(input_margins, logit_margins) == 1)
