import numpy as np
import pytest

from touchstone.evaluations.margin_evasion import margin_evasion
from touchstone.records.nouns import Cell, Margins, Outputs

LABELS = np.zeros(4, dtype=np.int64)


def outputs(leads, examples="test", **more):
    """Logits of two classes, the first ahead by `leads`; the label is 0."""
    leads = np.array(leads, dtype=np.float32)
    logits = np.stack([leads, np.zeros_like(leads)], axis=1)
    noun = Outputs(logits, np.zeros(len(leads), dtype=np.int64), np.arange(len(leads)))
    return Cell(noun, f"{examples}{sorted(more)}", "cnn", 0, examples, **more)


def margins(values, leads, examples="test"):
    values = np.array(values, dtype=np.float64)
    predictions = np.where(np.array(leads) < 0, 1, 0).astype(np.int64)
    noun = Margins(
        values, np.isfinite(values), np.zeros(len(values), np.int64), predictions, np.arange(len(values)), "linf", "fab"
    )
    return Cell(noun, f"margins {examples}", "cnn", 0, examples, margin="fab")


def test_four_inputs_worked_by_hand():
    clean, near = [1.0, 3.0, 9.0, 0.5], [0.05, 0.05, 0.3, 0.05]
    attacked = outputs([-5.0, -1.0, -9.0, 0.2], attack="margin_pgd", victim="cnn.0", settings={"use": "margin_pgd"})
    held_out = [0.05, 0.09, 0.5], [1.0, 2.0, 8.0]

    rows = margin_evasion(
        [margins(near, clean)], [outputs(clean), attacked],
        [margins(*held_out, "held")], [outputs(held_out[1], "held")], eps=0.1,
    )  # fmt: skip

    found = {(row.examples, row.metric): (row.value, row.n) for row in rows}
    assert found["test", "threshold"] == (2.0, 3)  # the greatest of the two brittle held-out ones
    assert found["test", "share_above_threshold"] == (pytest.approx(1 / 3), 3)  # of 1, 3, .5
    assert found["test", "share_flagged"] == (0, 1)
    assert found["test/margin_pgd", "share_wrong"] == (pytest.approx(2 / 3), 3)  # the third is not brittle
    assert found["test/margin_pgd", "share_wrong_unflagged"] == (pytest.approx(1 / 3), 3)  # only the first leads by 5
    assert str(rows[-1].threat) == "white-box linf (margin_pgd)"


def test_inputs_that_are_wrong_without_an_attack_do_not_count():
    clean, near = [1.0, -3.0, 9.0, 0.5], [0.05, 0.05, 0.3, 0.05]  # the second is wrong by more than the threshold of 2
    attacked = outputs([-5.0, -5.0, -9.0, 0.2], attack="pgd", victim="cnn.0", settings={"use": "pgd", "eps": 0.1})
    held_out = [0.05, 0.09, 0.5], [1.0, 2.0, 8.0]

    rows = margin_evasion(
        [margins(near, clean)], [outputs(clean), attacked],
        [margins(*held_out, "held")], [outputs(held_out[1], "held")], eps=0.1,
    )  # fmt: skip

    found = {(row.examples, row.metric): (row.value, row.n) for row in rows}
    for place in ("test/pgd", "test/union"):
        assert found[place, "share_wrong"] == (1 / 2, 2)  # of the first and the last
        assert found[place, "share_wrong_unflagged"] == (1 / 2, 2)


def test_without_an_attack_the_threshold_is_counted_on_the_images_that_an_attacker_can_turn():
    clean = [1.0, 3.0, 9.0, 0.5, -4.0]  # right: above the threshold of 2 are the second and third, which is not brittle
    held_out = [0.05, 0.09, 0.5], [1.0, 2.0, 8.0]

    rows = margin_evasion(
        [margins([0.05, 0.05, 0.3, 0.05, 0.05], clean)], [outputs(clean)],
        [margins(*held_out, "held")], [outputs(held_out[1], "held")], eps=0.1,
    )  # fmt: skip

    found = {row.metric: (row.value, row.n) for row in rows}
    assert found["share_right_above_threshold"] == (pytest.approx(1 / 3), 3)  # of the first, second and fourth
    assert found["share_above_threshold"] == (2 / 4, 4)  # the last, wrong by 4, too


def test_the_union_counts_an_input_that_any_attack_within_eps_gets_past():
    clean, near = [1.0, 3.0, 9.0, 0.5, -4.0], [0.05, 0.05, 0.3, 0.05, 0.05]  # the last is wrong without an attack
    settings = {"use": "pgd", "eps": 0.1}
    attacked = [
        outputs([-5.0, -1.0, -9.0, 0.2, -1.0], attack="one", victim="cnn.0", settings=settings),
        outputs([4.0, -1.0, -9.0, -7.0, 3.0], attack="two", victim="cnn.0", settings=settings),
        outputs([-9.0] * 5, attack="larger", victim="cnn.0", settings=settings | {"eps": 0.2}),
    ]
    held_out = [0.05, 0.09, 0.5], [1.0, 2.0, 8.0]

    rows = margin_evasion(
        [margins(near, clean)], [outputs(clean), *attacked],
        [margins(*held_out, "held")], [outputs(held_out[1], "held")], eps=0.1,
    )  # fmt: skip

    found = {row.metric: row for row in rows if row.examples == "test/union"}
    assert (found["share_wrong"].value, found["share_wrong"].n) == (1, 3)
    assert found["share_wrong_unflagged"].value == pytest.approx(2 / 3)  # the first by one attack, the fourth by two
    assert found["share_wrong"].threat.worst_of == ("one", "two")


def test_attacks_on_other_networks_are_left_out():
    transfer = outputs([-5.0] * 4, attack="pgd", victim="mlp.0", settings={"use": "pgd"})

    rows = margin_evasion(
        [margins([0.05] * 4, [1.0] * 4)], [outputs([1.0] * 4), transfer],
        [margins([0.05] * 4, [1.0] * 4, "held")], [outputs([1.0] * 4, "held")],
    )  # fmt: skip

    assert {row.examples for row in rows} == {"test"}


def test_a_network_none_of_whose_held_out_images_is_brittle_has_no_threshold_and_no_rows():
    assert not margin_evasion(
        [margins([0.05] * 4, [1.0] * 4)], [outputs([1.0] * 4)],
        [margins([0.5] * 4, [1.0] * 4, "held")], [outputs([1.0] * 4, "held")],
    )  # fmt: skip


def test_shares_at_the_threshold_vary_with_the_held_out_images():
    """All leads lie between the thresholds that resampled held-out images give: 1, 2 or 8."""
    attacked = outputs([-5.0] * 4, attack="margin_pgd", victim="cnn.0", settings={"use": "margin_pgd"})

    rows = margin_evasion(
        [margins([0.05] * 4, [4.0] * 4)], [outputs([4.0] * 4), attacked],
        [margins([0.05] * 3, [1.0, 2.0, 8.0], "held")], [outputs([1.0, 2.0, 8.0], "held")],
    )  # fmt: skip

    varying = {(row.examples, row.metric) for row in rows if row.image_variance}
    assert varying == {
        ("test", "share_above_threshold"),
        ("test", "share_right_above_threshold"),
        ("test/margin_pgd", "share_wrong_unflagged"),
    }
