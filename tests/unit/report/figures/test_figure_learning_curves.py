"""Learning curves: means over seeds of what each epoch of training gave."""

import numpy as np
import pytest

from touchstone.records.nouns import Cell, Checkpoint
from touchstone.report.figures.learning_curves import learning_curves


def checkpoint(weights, losses=(), seed=0, entry="mlp"):
    history = {"train_loss": np.array(losses)} if losses else {}
    noun = Checkpoint(weights, {"use": "models/mlp"}, (1, 2, 2), 2, (0.0,), (1.0,), history)
    return Cell(noun, f"{entry}.{seed}", entry, seed)


def test_learning_curves_are_means_over_seeds():
    weights = {"1.weight": np.ones((1, 4))}
    cells = [checkpoint(weights, [1.0, 0.4]), checkpoint(weights, [2.0, 0.2], seed=1)]

    figure = learning_curves(cells)

    (axes,) = figure.axes
    np.testing.assert_allclose(axes.lines[0].get_xydata(), [[1, 1.5], [2, 0.3]])
    with pytest.raises(ValueError, match="no checkpoint with a history"):
        learning_curves(cells, networks=["cnn"])
