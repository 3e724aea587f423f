import numpy as np
import pytest

from touchstone.evaluations.expressivity import expressivity
from touchstone.records.nouns import Cell, Outputs

SETTINGS = {"id_examples": "digits", "resamples": 50}


def outputs(examples, norms):
    count = len(norms)
    noun = Outputs(
        np.zeros((count, 2), dtype=np.float32), np.zeros(count, dtype=np.int64), np.arange(count),
        gradient_norms={"softmax_all": np.array(norms, dtype=np.float32)},
    )  # fmt: skip
    return Cell(noun, f"outputs/{examples}", entry="cnn", seed=0, examples=examples)


def found(*cells):
    return {(row.metric, row.examples): row.value for row in expressivity(list(cells), **SETTINGS)}


def test_shares_worked_by_hand():
    rows = found(outputs("digits", [[1, 0, 2, 1], [1, 1, 1, 1], [0, 0, 1, 1]]), outputs("faces", [[3, 0, 1, 0]]))

    assert rows["upstream_share", "digits"] == 0.25
    assert rows["upstream_share", "faces"] == 0.75
    assert rows["auroc_upstream_share", "faces"] == 1.0
    assert rows["auroc_gradient_sum", "faces"] == pytest.approx(2 / 3)  # sums 4, 4, 2 against 4


def test_the_place_of_a_gradient_does_not_depend_on_its_size():
    rows = found(outputs("digits", [[1, 0, 2, 1], [2, 0, 4, 2]]), outputs("faces", [[100, 0, 200, 100]]))

    assert rows["auroc_upstream_share", "faces"] == 0.5
    assert rows["auroc_gradient_sum", "faces"] == 1


def test_no_gradient_at_all_lies_nowhere_and_a_single_layer_is_refused():
    assert found(outputs("digits", [[0, 0, 0, 0]]))["upstream_share", "digits"] == 0
    with pytest.raises(ValueError, match="cnn has one layer"):
        found(outputs("digits", [[1, 1]]))
