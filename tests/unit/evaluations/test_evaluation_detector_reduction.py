"""The reduction flags a detector that is too good to be true, and passes one that is as good as the best network."""

import numpy as np
import pytest

from touchstone.evaluations.detector_reduction import detector_reduction
from touchstone.records.nouns import Cell, Detector, Outputs, Scores

COUNT = 100
GUARD = Cell(
    Detector({}, {"use": "knn"}, {"0.05": 0.5}, spread=1.0, supervised=False), "detector", "cnn", 0, detector="knn"
)


def outputs(right, entry="cnn", attack="", eps=0.0, victim=None, order=None):
    order = np.arange(COUNT) if order is None else order
    predictions = np.where(np.arange(COUNT) < right, 0, 1)[order]
    noun = Outputs(np.eye(2, dtype=np.float32)[predictions], np.zeros(COUNT, np.int64), np.arange(COUNT)[order])
    place = {"attack": attack, "victim": victim or f"{entry}.0", "settings": {"use": "attacks/pgd", "eps": eps}}
    return Cell(noun, f"{entry}/{attack}/{victim}", entry, 0, "digits", **(place if attack else {}))


def scores(flagged, attack="", eps=0.0, victim="cnn.0", order=None):
    order = np.arange(COUNT) if order is None else order
    noun = Scores(np.array(flagged, float)[order], np.arange(COUNT)[order], np.zeros(COUNT, np.int64))
    place = {"attack": attack, "victim": victim, "settings": {"use": "attacks/pgd", "eps": eps}}
    return Cell(noun, f"scores/{attack}/{victim}", "cnn", 0, "digits", detector="knn", **(place if attack else {}))


def rows(evading, rival_right=60, order=None, **settings):
    """Of a detector that flags 5 clean images, of an attack that fools every image and is flagged on all but `evading`."""
    clean_flags = np.arange(COUNT) >= 95
    attacked_flags = np.arange(COUNT) >= evading
    adaptive = "cnn.0+knn@0.05"
    found = detector_reduction(
        [outputs(100), outputs(0, attack="adaptive", eps=0.1, victim=adaptive, order=order)],
        [scores(clean_flags, order=order), scores(attacked_flags, "adaptive", 0.1, adaptive)],
        [GUARD],
        [
            *(outputs(99, "robust"), outputs(rival_right, "robust", "pgd_05", 0.05)),
            *(outputs(99, "weak"), outputs(10, "weak", "pgd_05", 0.05)),
        ],
        **settings,
    )
    return {row.metric: row for row in found}


def test_a_detector_that_holds_more_than_the_best_network_does_at_half_is_flagged():
    found = rows(evading=0)

    assert found["implied_accuracy_at_half"].value == 0.95  # all but the clean images that it flags
    assert found["best_known_accuracy_at_half"].value == 0.6
    assert found["implied_minus_best_known"].value == pytest.approx(0.35)
    assert found["implied_minus_best_known"].low > 0.2
    assert found["implied_minus_best_known_passed"].value == 0


def test_a_detector_that_is_as_good_as_the_best_network_at_half_passes():
    found = rows(evading=35)

    assert found["implied_accuracy_at_half"].value == 0.6
    assert found["implied_minus_best_known_passed"].value == 1


def test_a_difference_that_may_be_chance_passes():
    found = rows(evading=0, rival_right=94)

    assert found["implied_minus_best_known"].value > 0
    assert found["implied_minus_best_known_passed"].value == 1


def test_images_are_joined_by_id():
    order = np.random.default_rng(0).permutation(COUNT)

    plain, mixed = rows(evading=35), rows(evading=35, order=order)

    for metric, row in plain.items():
        assert (row.value, row.low, row.high) == (mixed[metric].value, mixed[metric].low, mixed[metric].high)


def test_the_worst_attack_on_each_image_counts():
    """One attack evades on images 0 to 9, the other on 90 to 99, of which 95 to 99 are flagged unattacked."""
    outs = [outputs(100), outputs(0, attack="pgd", eps=0.1), outputs(0, attack="bim", eps=0.1)]
    flags = [
        scores(np.arange(100) >= 95),
        scores(np.arange(100) >= 10, "pgd", 0.1),
        scores(np.arange(100) < 90, "bim", 0.1),
    ]
    rivals = [outputs(99, "robust"), outputs(60, "robust", "pgd_05", 0.05)]

    found = {row.metric: row for row in detector_reduction(outs, flags, [GUARD], rivals)}

    assert found["implied_accuracy_at_half"].value == 0.8
    assert str(found["implied_accuracy_at_half"].threat) == "oblivious, the worst of bim, pgd, linf eps=0.1"
    assert str(found["best_known_accuracy_at_half"].threat) == "white-box linf eps=0.05"


def test_a_rival_must_hold_against_every_attack_at_half():
    rivals = [outputs(99, "robust"), outputs(60, "robust", "pgd_05", 0.05), outputs(40, "robust", "apgd_05", 0.05)]

    found = detector_reduction(
        [outputs(100), outputs(0, attack="pgd", eps=0.1)],
        [scores(np.zeros(100)), scores(np.ones(100), "pgd", 0.1)],
        [GUARD],
        rivals,
    )

    assert {row.metric: row.value for row in found}["best_known_accuracy_at_half"] == 0.4


def test_what_is_missing_is_named():
    with pytest.raises(ValueError, match=r"no rival was attacked at eps 0\.15"):
        detector_reduction([], [scores(np.zeros(100), "pgd", 0.3)], [GUARD], [], eps=0.3)
    with pytest.raises(ValueError, match=r"no threshold for the false-positive rate 0\.01"):
        rows(evading=0, false_positive_rate=0.01)
    with pytest.raises(ValueError, match=r"no set was attacked at eps 0\.4"):
        rows(evading=0, eps=0.4)
