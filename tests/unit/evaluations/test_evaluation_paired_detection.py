import numpy as np
import pytest

from touchstone.evaluations.detection import detection
from touchstone.evaluations.paired_detection import paired_detection
from touchstone.evaluations.statistics import rank_intervals
from touchstone.records.nouns import Cell, Scores

SETTINGS = {"id_examples": "digits", "against": ["msp"], "resamples": 200}


def scores(detector, examples, values):
    noun = Scores(np.array(values, dtype=float), np.arange(len(values)), np.zeros(len(values), dtype=np.int64))
    return Cell(noun, f"scores/{detector}/{examples}", entry="cnn", seed=0, detector=detector, examples=examples)


def cells(ours, theirs):
    return [scores(name, set_, values) for name, sets in (("gradient", ours), ("msp", theirs))
            for set_, values in zip(("digits", "photographs"), sets, strict=True)]  # fmt: skip


def test_a_difference_worked_by_hand():
    found = paired_detection(cells(([1.0, 2.0], [3.0, 4.0]), ([1.0, 2.0], [0.0, 4.0])), [], **SETTINGS)

    assert [(row.entry, row.examples, row.metric, row.value) for row in found] == [
        ("cnn+gradient", "photographs", "auroc_minus_msp", 0.5)
    ]


def test_a_detector_paired_with_its_own_copy_differs_by_no_more_than_so_few_images_can_hide():
    values = np.random.default_rng(0).normal(size=60)
    both = (values[:30], values[30:] + 0.5)

    (row,) = paired_detection(cells(both, both), [], **SETTINGS)

    unseen = 1.96**2 / (30 + 1.96**2)
    assert (row.low, row.value, row.high) == pytest.approx((-unseen, 0, unseen), abs=1e-4)


def test_pairing_makes_the_interval_of_like_detectors_narrower_than_their_own():
    generator = np.random.default_rng(0)
    known, anomalous = generator.normal(size=400), generator.normal(size=400) + 1
    near = (known + generator.normal(0, 0.1, 400), anomalous + generator.normal(0, 0.1, 400))

    (row,) = paired_detection(cells((known, anomalous), near), [], **SETTINGS)

    alone = rank_intervals.detection(known, anomalous, resamples=200, seed=0)["auroc"]
    assert row.high - row.low < 0.4 * (alone.high - alone.low)


def test_against_a_detector_with_its_sign_turned_one_minus_its_auroc_is_taken_away():
    found = paired_detection(
        cells(([1.0, 2.0], [3.0, 4.0]), ([3.0, 4.0], [1.0, 2.0])), [], **SETTINGS | {"turned": ["msp"]}
    )

    assert {row.metric: row.value for row in found} == {"auroc_minus_msp": 1, "auroc_minus_turned_msp": 0}


def test_other_statistics_differ_by_what_each_detector_has_alone():
    ours, theirs = ([1.0, 2.0, 3.0], [2.0, 4.0, 5.0]), ([3.0, 1.0, 2.0], [2.5, 0.0, 4.0])
    both = cells(ours, theirs)
    statistics = ["auroc", "aupr_ood", "aupr_id", "fpr95_id", "fpr95_ood", "detection_error"]

    found = paired_detection(both, [], **SETTINGS | {"statistics": statistics})

    alone = {(row.entry, row.metric): row.value for row in detection(both, [], id_examples="digits", resamples=2)}
    assert {row.metric: row.value for row in found} == {
        f"{name}_minus_msp": pytest.approx(alone["cnn+gradient", name] - alone["cnn+msp", name]) for name in statistics
    }
    assert alone["cnn+gradient", "fpr95_id"] != alone["cnn+msp", "fpr95_id"]
    shares = {row.metric.removesuffix("_minus_msp") for row in found if row.unit == "difference of fractions"}
    assert shares == {"fpr95_id", "fpr95_ood", "detection_error"}  # to be read in points; the others are areas


def test_a_statistic_that_there_is_not_is_named():
    with pytest.raises(ValueError, match="no statistic fpr80; there are auroc"):
        paired_detection(cells(([1.0], [2.0]), ([1.0], [2.0])), [], **SETTINGS | {"statistics": ["auroc", "fpr80"]})


def test_several_sets_have_the_mean_of_their_differences_for_each_detector_compared_with():
    two = cells(([1.0, 2.0], [3.0, 4.0]), ([1.0, 2.0], [0.0, 4.0]))
    two += [scores("gradient", "noise", [0.0, 3.0]), scores("msp", "noise", [3.0, 4.0])]

    found = paired_detection(two, [], **SETTINGS | {"turned": ["msp"]})

    values = {(row.examples, row.metric): row.value for row in found}
    assert values == {
        ("photographs", "auroc_minus_msp"): 0.5,
        ("noise", "auroc_minus_msp"): -0.5,
        ("mean_of_sets", "auroc_minus_msp"): 0,
        ("photographs", "auroc_minus_turned_msp"): 0.5,
        ("noise", "auroc_minus_turned_msp"): 0.5,
        ("mean_of_sets", "auroc_minus_turned_msp"): 0.5,
    }
    assert {row.n for row in found if row.examples == "mean_of_sets"} == {2 + 2}


def test_a_detector_to_compare_with_that_has_no_scores_is_named():
    with pytest.raises(ValueError, match="no scores of knn"):
        paired_detection(cells(([1.0], [2.0]), ([1.0], [2.0])), [], **SETTINGS | {"against": ["knn"]})


def test_nothing_but_detectors_to_compare_with_is_refused():
    with pytest.raises(ValueError, match="ask for one that is not in against"):
        paired_detection(cells(([1.0], [2.0]), ([1.0], [2.0])), [], **SETTINGS | {"against": ["msp", "gradient"]})
