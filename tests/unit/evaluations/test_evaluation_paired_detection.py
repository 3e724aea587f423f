import numpy as np
import pytest

from touchstone.evaluations.paired_detection import paired_detection
from touchstone.records.nouns import Cell, Scores
from touchstone.statistics import rank_intervals

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


def test_a_detector_paired_with_its_own_copy_has_no_difference_and_no_doubt():
    values = np.random.default_rng(0).normal(size=60)
    both = (values[:30], values[30:] + 0.5)

    (row,) = paired_detection(cells(both, both), [], **SETTINGS)

    assert (row.low, row.value, row.high) == (0, 0, 0)


def test_pairing_makes_the_interval_of_like_detectors_narrower_than_their_own():
    generator = np.random.default_rng(0)
    known, anomalous = generator.normal(size=80), generator.normal(size=80) + 1
    near = (known + generator.normal(0, 0.1, 80), anomalous + generator.normal(0, 0.1, 80))

    (row,) = paired_detection(cells((known, anomalous), near), [], **SETTINGS)

    alone = rank_intervals.detection(known, anomalous, resamples=200, seed=0)["auroc"]
    assert row.high - row.low < 0.4 * (alone.high - alone.low)


def test_against_a_detector_with_its_sign_turned_one_minus_its_auroc_is_taken_away():
    found = paired_detection(
        cells(([1.0, 2.0], [3.0, 4.0]), ([3.0, 4.0], [1.0, 2.0])), [], **SETTINGS | {"turned": ["msp"]}
    )

    assert {row.metric: row.value for row in found} == {"auroc_minus_msp": 1, "auroc_minus_turned_msp": 0}


def test_a_detector_to_compare_with_that_has_no_scores_is_named():
    with pytest.raises(ValueError, match="no scores of knn"):
        paired_detection(cells(([1.0], [2.0]), ([1.0], [2.0])), [], **SETTINGS | {"against": ["knn"]})


def test_nothing_but_detectors_to_compare_with_is_refused():
    with pytest.raises(ValueError, match="ask for one that is not in against"):
        paired_detection(cells(([1.0], [2.0]), ([1.0], [2.0])), [], **SETTINGS | {"against": ["msp", "gradient"]})
