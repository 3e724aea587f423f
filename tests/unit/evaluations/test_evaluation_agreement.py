import numpy as np
import pytest

from touchstone.evaluations.agreement import agreement
from touchstone.records.nouns import Cell, Outputs

FGSM = {"use": "fgsm", "eps": 0.25}


def cell(predictions, entry, victim="mlp.0", ids=(3, 1, 2, 0), seed=0):
    labels = np.zeros(4, np.int64)
    noun = Outputs(np.eye(4, dtype=np.float32)[list(predictions)], labels, np.array(ids))
    return Cell(noun, f"{entry}.{seed}/{victim}", entry, seed, "digits", "fgsm", victim, settings=FGSM)


def by_metric(rows):
    return {row.metric: (row.value, row.n) for row in rows}


def test_four_images_worked_by_hand():
    # The attacked net takes three for classes 1, 2, 3; the other takes the first for 1 too, the second for 3, the third right.
    rows = agreement([cell([1, 2, 3, 0], "mlp"), cell([1, 3, 0, 2], "softmax")])

    assert {row.entry for row in rows} == {"softmax"}
    assert {row.examples for row in rows} == {"digits/mlp/fgsm"}
    assert by_metric(rows) == {
        "agreement_when_both_wrong": (0.5, 2),
        "agreement_on_fooling": (pytest.approx(1 / 3), 3),
        "transfer_error": (0.75, 4),
    }
    assert str(rows[0].threat) == "transfer from mlp.0 linf eps=0.25 (fgsm)"


def test_rows_are_joined_by_id():
    rows = agreement([cell([1, 2, 3, 0], "mlp"), cell([0, 3, 2, 1], "softmax", ids=(0, 2, 1, 3))])

    assert by_metric(rows)["agreement_when_both_wrong"] == (1, 3)


def test_where_never_both_are_wrong_there_is_no_agreement_to_measure():
    rows = agreement([cell([1, 0, 0, 0], "mlp"), cell([0, 0, 0, 2], "softmax")])

    assert set(by_metric(rows)) == {"agreement_on_fooling", "transfer_error"}


def test_the_attacked_network_has_to_be_there():
    with pytest.raises(ValueError, match=r"outputs of mlp\.0 on what attacked it: none"):
        agreement([cell([1, 2, 3, 0], "softmax")])


def test_a_difference_counts_the_images_that_fool_the_attacked_network():
    # Of the three images that fool the MLP, softmax agrees on two and the RBF network on one.
    cells = [cell([1, 2, 3, 0], "mlp"), cell([1, 2, 0, 0], "softmax"), cell([3, 1, 2, 0], "rbf", ids=(1, 3, 2, 0))]

    rows = agreement(cells, against=["rbf"])

    (difference,) = (row for row in rows if row.metric == "agreement_on_fooling_minus_rbf")
    assert (difference.entry, difference.n) == ("softmax", 3)
    assert difference.value == pytest.approx(1 / 3)
    assert difference.low < difference.value < difference.high


def test_networks_are_compared_seed_by_seed():
    """Softmax agrees on all three images that fool the MLP, the RBF network of seed 0 on two, that of seed 1 on one."""
    rbf = {0: [1, 2, 0, 0], 1: [1, 0, 0, 0]}
    cells = [cell([1, 2, 3, 0], "mlp"), *(cell([1, 2, 3, 0], "softmax", seed=seed) for seed in (0, 1, 2))]
    cells += [cell(predictions, "rbf", seed=seed) for seed, predictions in rbf.items()]

    rows = agreement(cells, against=["rbf"])

    found = [(row.seed, row.value) for row in rows if row.metric == "agreement_on_fooling_minus_rbf"]
    assert found == [(0, pytest.approx(1 / 3)), (1, pytest.approx(2 / 3))]


def test_a_network_that_is_compared_with_has_to_be_there():
    with pytest.raises(ValueError, match="no outputs of rbf"):
        agreement([cell([1, 2, 3, 0], "mlp"), cell([1, 2, 0, 0], "softmax")], against=["rbf"])
