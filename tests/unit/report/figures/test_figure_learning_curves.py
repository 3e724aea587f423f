"""Learning curves: means over seeds of what each epoch of training gave."""

import numpy as np
import pytest

from touchstone.records.nouns import Cell, Checkpoint
from touchstone.report import drawing, names
from touchstone.report.figures.learning_curves import learning_curves

WEIGHTS = {"1.weight": np.ones((1, 4))}


def checkpoint(weights, losses=(), seed=0, entry="mlp", **accuracies):
    history = {"train_loss": np.array(losses)} if losses else {}
    history |= {name: np.array(values) for name, values in accuracies.items()}
    noun = Checkpoint(weights, {"use": "models/mlp"}, (1, 2, 2), 2, (0.0,), (1.0,), history)
    return Cell(noun, f"{entry}.{seed}", entry, seed)


def test_learning_curves_are_means_over_seeds():
    cells = [checkpoint(WEIGHTS, [1.0, 0.4]), checkpoint(WEIGHTS, [2.0, 0.2], seed=1)]

    figure = learning_curves(cells)

    (axes,) = figure.axes
    np.testing.assert_allclose(axes.lines[0].get_xydata(), [[1, 1.5], [2, 0.3]])
    with pytest.raises(ValueError, match="no checkpoint with a history"):
        learning_curves(cells, networks=["cnn"])


def test_the_title_has_the_networks_that_resist_their_own_attack_most_beyond_pgd():
    kept = {"mlp": (0.5, 0.4), "cnn": (0.9, 0.1)}
    cells = [
        checkpoint(WEIGHTS, [1.0, 0.5], entry=entry, training_attack_accuracy=[0.2, own], pgd_accuracy=[0.2, pgd])
        for entry, (own, pgd) in kept.items()
    ]

    figure = learning_curves(cells)

    assert drawing.takeaway(figure) == (
        "After the last epoch cnn is right on 90% under the attack of its training, on 10% under PGD; mlp, on 50% and 40%"
    )
    assert [axes.get_title() for axes in figure.axes] == ["under the training's attack", "under 20 steps of PGD"]


def test_two_networks_that_people_call_alike_have_two_lines_of_the_legend():
    cells = [checkpoint(WEIGHTS, [1.0, 0.4], entry=entry) for entry in ("cnn_fgsm_05", "cnn_fgsm_30", "mlp")]

    with names.words({"cnn_fgsm": "the FGSM-trained CNN"}):
        figure = learning_curves(cells)

    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts == ["FGSM-trained CNN (cnn_fgsm_05)", "FGSM-trained CNN (cnn_fgsm_30)", "mlp"]


def test_one_epoch_is_a_mark_as_there_is_no_line_between_one_point():
    (axes,) = learning_curves([checkpoint(WEIGHTS, [1.0])]).axes

    assert axes.lines[0].get_marker() != "None"
