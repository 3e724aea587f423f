import numpy as np
import pytest

from touchstone.evaluations.chance_agreement import chance_agreement
from touchstone.records.nouns import Cell, Outputs

FGSM = {"use": "fgsm", "eps": 0.25}


def cell(predictions, entry, labels=(0, 0, 0, 0), victim="maxout.0", ids=None, seed=0):
    ids = np.arange(len(labels)) if ids is None else np.array(ids)
    noun = Outputs(np.eye(4, dtype=np.float32)[list(predictions)], np.array(labels, np.int64), ids)
    return Cell(noun, f"{entry}.{seed}/{victim}", entry, seed, "digits", "fgsm", victim, settings=FGSM)


def by_metric(rows):
    return {row.metric: pytest.approx(row.value) for row in rows}


def test_one_true_class_worked_by_hand():
    # Both are wrong four times. Shares of classes 1, 2, 3: maxout 1/2, 1/4, 1/4; softmax 1/2, 1/2, 0. They agree on three images.
    rows = chance_agreement([cell([1, 1, 2, 3], "maxout"), cell([1, 1, 2, 2], "softmax")], resamples=20)

    assert by_metric(rows) == {"agreement_beyond_chance": 3 / 4 - 3 / 8, "chance_agreement": 3 / 8}
    assert {(row.entry, row.examples, row.n) for row in rows} == {("softmax", "digits/maxout/fgsm", 4)}


def test_confusions_that_every_network_makes_are_chance():
    # Classes 0 and 1 of four, always taken for each other, as shirts and T-shirts might be: the class explains all of it.
    labels, wrong = (0, 0, 1, 1), [1, 1, 0, 0]
    rows = chance_agreement([cell(wrong, "maxout", labels), cell(wrong, "softmax", labels)], resamples=20)

    assert by_metric(rows) == {"agreement_beyond_chance": 0, "chance_agreement": 1}


def test_two_true_classes_worked_by_hand():
    # Of class 0 both take one image for 1 and one for 2, and agree: c = 1/2. Of class 3 they never agree: c = 1/2, too.
    rows = chance_agreement(
        [cell([1, 2, 1, 2], "maxout", (0, 0, 3, 3)), cell([1, 2, 2, 1], "softmax", (0, 0, 3, 3))], resamples=20
    )

    assert by_metric(rows) == {"agreement_beyond_chance": 1 / 2 - 1 / 2, "chance_agreement": 1 / 2}


def test_networks_that_err_independently_agree_by_chance():
    random = np.random.default_rng(0)
    labels = random.integers(0, 4, 4000)
    favourites = [0.1, 0.2, 0.3, 0.4]

    def wrong():
        draws = random.choice(4, size=(50, 4000), p=favourites)
        return draws[(draws != labels).argmax(0), np.arange(4000)]

    rows = chance_agreement([cell(wrong(), "maxout", labels), cell(wrong(), "softmax", labels)], resamples=100)

    (beyond,) = (row for row in rows if row.metric == "agreement_beyond_chance")
    assert beyond.low < 0 < beyond.high
    assert beyond.value == pytest.approx(0, abs=0.03)


def test_images_that_only_one_gets_wrong_do_not_count_and_rows_are_joined_by_id():
    first = cell([1, 1, 2, 3, 0], "maxout", (0,) * 5)
    second = cell([3, 2, 2, 1, 1], "softmax", (0,) * 5, ids=(4, 3, 2, 1, 0))

    assert {row.n for row in chance_agreement([first, second], resamples=20)} == {4}
    assert by_metric(chance_agreement([first, second], resamples=20))["chance_agreement"] == 3 / 8
    assert chance_agreement([cell([1, 0, 0, 0], "maxout"), cell([0, 0, 0, 2], "softmax")]) == []


def test_a_difference_is_that_of_the_numbers_on_the_same_images():
    outputs = [cell([1, 1, 2, 3], "maxout"), cell([1, 1, 2, 2], "softmax"), cell([2, 1, 1, 2], "rbf")]
    rows = chance_agreement(outputs, against=["rbf"], resamples=20)

    found = {(row.entry, row.metric): row.value for row in rows}
    assert {entry for entry, metric in found if metric == "agreement_beyond_chance_minus_rbf"} == {"softmax"}
    difference = found["softmax", "agreement_beyond_chance"] - found["rbf", "agreement_beyond_chance"]
    assert found["softmax", "agreement_beyond_chance_minus_rbf"] == pytest.approx(difference)


def test_networks_are_compared_seed_by_seed():
    rbf = {0: [1, 1, 2, 2], 1: [2, 1, 1, 2]}
    outputs = [cell([1, 1, 2, 3], "maxout"), *(cell([1, 1, 2, 3], "softmax", seed=seed) for seed in (0, 1, 2))]
    outputs += [cell(predictions, "rbf", seed=seed) for seed, predictions in rbf.items()]

    rows = chance_agreement(outputs, against=["rbf"], resamples=20)

    beyond = {(row.entry, row.seed): row.value for row in rows if row.metric == "agreement_beyond_chance"}
    found = {row.seed: row.value for row in rows if row.metric == "agreement_beyond_chance_minus_rbf"}
    assert found == {seed: pytest.approx(beyond["softmax", seed] - beyond["rbf", seed]) for seed in (0, 1)}


def test_seeds_are_averaged_with_an_interval():
    outputs = [
        cell(predictions, entry, victim=f"maxout.{seed}", seed=seed)
        for seed in (0, 1, 2)
        for entry, predictions in (("maxout", [1, 1, 2, 3]), ("softmax", [1, 1, 2, 2]))
    ]
    (mean,) = (row for row in chance_agreement(outputs) if row.metric == "agreement_beyond_chance_mean")

    assert mean.seeds == (0, 1, 2)
    assert mean.value == pytest.approx(3 / 8)
    assert mean.low < mean.value < mean.high


def test_the_attacked_network_and_the_compared_one_have_to_be_there():
    with pytest.raises(ValueError, match=r"outputs of maxout\.0 on what attacked it: none"):
        chance_agreement([cell([1, 2, 3, 0], "softmax")])
    with pytest.raises(ValueError, match="no outputs of rbf"):
        chance_agreement([cell([1, 2, 3, 0], "maxout")], against=["rbf"])
