import numpy as np
import pytest

from touchstone.evaluations.detection import detection
from touchstone.evaluations.statistics import rank_intervals
from touchstone.records.nouns import Cell, Outputs, Scores

PGD = {"use": "pgd", "eps": 0.1}
ROWS = 12
QUICK = {"id_examples": "digits", "resamples": 20}


def scores(values, examples, attack="", victim="", **more):
    noun = Scores(np.array(values, dtype=float), np.arange(len(values)), np.zeros(len(values), dtype=np.int64))
    return Cell(
        noun, f"scores/{examples}{attack}", entry="cnn", seed=0, detector="energy", examples=examples, attack=attack,
        victim=victim, settings=PGD if attack else {}, **more,
    )  # fmt: skip


def outputs(right, attack="", victim=""):
    predictions = np.where(right, 0, 1)
    noun = Outputs(
        np.eye(2, dtype=np.float32)[predictions], np.zeros(len(right), dtype=np.int64), np.arange(len(right))
    )
    return Cell(noun, f"outputs/{attack}", entry="cnn", seed=0, examples="digits", attack=attack, victim=victim)


ID = scores([1.0, 2.0, 3.0], "digits")


def one(rows, metric, examples):
    return next(row for row in rows if (row.metric, row.examples) == (metric, examples))


def test_six_points_worked_by_hand_give_each_statistic():
    rows = detection([ID, scores([2.0, 4.0, 5.0], "photographs")], [], **QUICK)

    found = {row.metric: row.value for row in rows}
    assert found == {
        "auroc": pytest.approx(7.5 / 9), "aupr_ood": pytest.approx(13 / 15), "aupr_id": pytest.approx(29 / 36),
        "fpr95_id": pytest.approx(1 / 3), "fpr95_ood": pytest.approx(2 / 3), "detection_error": pytest.approx(1 / 6),
    }  # fmt: skip


def test_rows_name_the_detector_both_files_and_the_share_of_the_positive_class():
    rows = detection([ID, scores([2.0, 4.0, 5.0, 6.0, 7.0, 8.0], "photographs")], [], **QUICK)

    row = one(rows, "auroc", "photographs")
    assert (row.entry, row.n, row.base_rate, str(row.threat)) == ("cnn+energy", 9, 6 / 9, "none")
    assert " ".join(row.files) == "scores/digits scores/photographs"
    assert one(rows, "aupr_id", "photographs").base_rate == 3 / 9


def test_attacked_sets_are_measured_for_all_attempts_and_for_successes():
    right_clean = np.arange(ROWS) > 0  # row 0 was wrong before the attack
    right_attacked = np.arange(ROWS) == 1  # the attack fails on row 1
    attacked = scores([0.0, 0.0] + [9.0] * 10, "digits", "pgd", "cnn.0")
    cells = [outputs(right_clean), outputs(right_attacked, "pgd", "cnn.0")]

    rows = detection([ID, attacked], cells, **QUICK)

    everything, successes = (one(rows, metric, "digits/pgd") for metric in ("auroc", "auroc_successes"))
    assert (everything.value, everything.n) == (pytest.approx(10 / 12), 15)
    assert (successes.value, successes.n) == (1, 13)
    assert str(successes.threat) == "oblivious linf eps=0.1 (pgd)"
    assert list(successes.files)[2:] == ["outputs/", "outputs/pgd"]


def test_fewer_than_ten_successes_are_left_out():
    attacked = scores([9.0] * ROWS, "digits", "pgd", "cnn.0")
    cells = [outputs(np.ones(ROWS, bool)), outputs(np.arange(ROWS) > 8, "pgd", "cnn.0")]

    rows = detection([ID, attacked], cells, **QUICK)

    assert not [row for row in rows if row.metric.endswith("_successes")]


def test_an_attacked_ood_set_is_anomalous_and_needs_no_outputs():
    rows = detection([ID, scores([0.0, 0.5], "photographs", "pgd", "cnn.0")], [], **QUICK)

    assert one(rows, "auroc", "photographs/pgd").value == 0


def test_several_sets_have_their_mean_as_one_more_set_and_attacked_ones_no_part_in_it():
    near, far = scores([2.0, 4.0, 5.0], "photographs"), scores([9.0, 9.5, 8.0, 0.0], "noise")
    rows = detection([ID, near, far, scores([0.0] * 3, "photographs", "pgd", "cnn.0")], [], **QUICK)

    for metric in ("auroc", "aupr_ood", "aupr_id", "fpr95_id", "fpr95_ood", "detection_error"):
        mean, *parts = (one(rows, metric, name) for name in ("mean_of_sets", "photographs", "noise"))
        assert mean.value == pytest.approx(sum(part.value for part in parts) / 2)
        assert mean.base_rate == pytest.approx(sum(part.base_rate for part in parts) / 2)
        assert (mean.entry, mean.n, mean.seed) == ("cnn+energy", 3 + 3, 0)  # of the smallest set
        assert mean.files == ("scores/digits", "scores/photographs", "scores/noise")


def test_a_mean_over_sets_draws_the_id_images_once_for_all_of_them():
    generator = np.random.default_rng(0)
    known, values = scores(generator.normal(size=60), "digits"), generator.normal(size=60) + 1
    rows = detection([known, scores(values, "one"), scores(values, "two")], [], id_examples="digits", resamples=200)

    alone, mean = (one(rows, "auroc", name) for name in ("one", "mean_of_sets"))
    # The same set twice: nothing is averaged out but the draws of the two sets, and those are drawn alike.
    assert mean.value == alone.value
    assert mean.image_variance > 0.5 * alone.image_variance


def test_a_single_set_has_no_mean_over_sets():
    rows = detection([ID, scores([2.0, 4.0], "photographs"), scores([0.0], "photographs", "pgd", "cnn.0")], [], **QUICK)

    assert {row.examples for row in rows} == {"photographs", "photographs/pgd"}


def test_missing_outputs_are_named():
    attacked = scores([9.0] * ROWS, "digits", "pgd", "cnn.0")

    with pytest.raises(ValueError, match=r"outputs of cnn\.0 on digits under pgd of cnn\.0: none is given"):
        detection([ID, attacked], [outputs(np.ones(ROWS, bool))], **QUICK)


def test_missing_id_scores_are_named():
    with pytest.raises(ValueError, match="scores of digits: none is given"):
        detection([scores([1.0], "photographs")], [], **QUICK)


def test_a_clean_image_and_its_attacked_version_are_resampled_together():
    clean, attacked = np.linspace(0, 1, ROWS), np.linspace(1.2, 0.2, ROWS)
    cells = [outputs(np.ones(ROWS, bool)), outputs(np.zeros(ROWS, bool), "pgd", "cnn.0")]
    sampling = {"resamples": 50, "seed": 0}

    rows = detection(
        [scores(clean, "digits"), scores(attacked, "digits", "pgd", "cnn.0")], cells, **QUICK | {"resamples": 50}
    )

    expected = rank_intervals.detection(clean, attacked, **sampling, paired=True)
    for metric in ("auroc", "auroc_successes", "fpr95_id"):
        row = one(rows, metric, "digits/pgd")
        assert (row.low, row.high) == expected[metric.removesuffix("_successes")][1:3]


def test_images_of_another_set_are_resampled_apart():
    clean, others = np.linspace(0, 1, ROWS), np.linspace(1.2, 0.2, ROWS)

    (row, *_) = detection([scores(clean, "digits"), scores(others, "photographs")], [], **QUICK)

    assert (row.low, row.high) == rank_intervals.detection(clean, others, resamples=20, seed=0)["auroc"][1:3]
