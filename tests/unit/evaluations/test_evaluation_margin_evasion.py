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
    assert found["test/margin_pgd", "share_wrong_unflagged_unattacked"] == (0, 3)  # all are right
    assert str(rows[-1].threat) == "white-box linf (margin_pgd)"


@pytest.mark.parametrize(
    ("attacked", "share", "rise"),
    [
        ([-5.0, -5.0, -9.0, 0.2], 2 / 3, 1 / 3),  # the first two, and the second was wrong before
        ([-5.0, -1.0, -9.0, 0.2], 1 / 3, 0.0),  # one in, one out
        ([-1.0, 5.0, -9.0, 0.2], 0.0, -1 / 3),  # still above, but right
    ],
)
def test_the_rise_is_of_the_same_event_without_the_attack(attacked, share, rise):
    clean, near = [1.0, -3.0, 9.0, 0.5], [0.05, 0.05, 0.3, 0.05]  # the second is wrong by more than the threshold of 2
    cell = outputs(attacked, attack="margin_pgd", victim="cnn.0", settings={"use": "margin_pgd"})
    held_out = [0.05, 0.09, 0.5], [1.0, 2.0, 8.0]

    rows = margin_evasion(
        [margins(near, clean)], [outputs(clean), cell],
        [margins(*held_out, "held")], [outputs(held_out[1], "held")], eps=0.1,
    )  # fmt: skip

    found = {row.metric: row for row in rows if row.examples == "test/margin_pgd"}
    assert found["share_wrong_unflagged"].value == pytest.approx(share)
    assert found["share_wrong_unflagged_unattacked"].value == pytest.approx(1 / 3)
    row = found["share_wrong_unflagged_rise"]
    assert (row.value, row.n) == (pytest.approx(rise), 3)
    assert (row.unit, row.method) == ("difference of fractions", "difference")
    of_right = found["share_wrong_unflagged_of_right"]
    assert (of_right.value, of_right.n) == (pytest.approx((attacked[0] < -2) / 2), 2)  # of the first and the last


def test_the_union_counts_an_input_that_any_attack_within_eps_gets_past_or_none():
    clean, near = [1.0, 3.0, 9.0, 0.5, -4.0], [0.05, 0.05, 0.3, 0.05, 0.05]  # the last is past it without an attack
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
    assert found["share_wrong"].value == 1
    assert found["share_wrong_unflagged"].value == pytest.approx(3 / 4)  # the first by one, the fourth by two, the last
    assert found["share_wrong_unflagged_unattacked"].value == pytest.approx(1 / 4)
    assert found["share_wrong_unflagged_rise"].value == pytest.approx(2 / 4)
    assert found["share_wrong"].threat.worst_of == ("one", "two")


def test_attacks_on_other_networks_are_left_out():
    transfer = outputs([-5.0] * 4, attack="pgd", victim="mlp.0", settings={"use": "pgd"})

    rows = margin_evasion(
        [margins([0.05] * 4, [1.0] * 4)], [outputs([1.0] * 4), transfer],
        [margins([0.05] * 4, [1.0] * 4, "held")], [outputs([1.0] * 4, "held")],
    )  # fmt: skip

    assert {row.examples for row in rows} == {"test"}


def test_held_out_images_none_of_which_is_brittle_give_no_threshold():
    with pytest.raises(ValueError, match="held: no input is brittle at"):
        margin_evasion(
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
        ("test/margin_pgd", "share_wrong_unflagged"),
        ("test/margin_pgd", "share_wrong_unflagged_rise"),
        ("test/margin_pgd", "share_wrong_unflagged_of_right"),
    }
