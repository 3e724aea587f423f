"""The figures of the FGSM study: logits along the gradient's sign, transfer, learning curves, first-layer weights."""

import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from touchstone.figures.first_layer_weights import first_layer_weights
from touchstone.figures.learning_curves import learning_curves
from touchstone.figures.logit_lines import logit_lines
from touchstone.figures.transfer_matrix import transfer_matrix
from touchstone.records.nouns import Cell, Checkpoint, ExampleSet, Outputs

STUDY = runpy.run_path(str(Path(__file__).parents[2] / "synthetic_study.py"))


def row(entry, examples, value, knows, seed=None, metric="robust_accuracy_mean"):
    threat = f"{knows} linf eps=0.1 (fgsm)"
    return STUDY["metric_row"](metric, value, threat=threat, seed=seed, entry=entry, examples=examples)


TRANSFER = [
    row("mlp", "digits/fgsm", 0.3, "white-box"),
    row("cnn", "digits/fgsm", 0.4, "white-box"),
    row("cnn", "digits/mlp/fgsm", 0.9, "transfer from mlp"),
    row("mlp", "digits/cnn/fgsm", 0.8, "transfer from cnn"),
    row("mlp", "digits/cnn/fgsm", 0.1, "transfer from cnn.0", 0, "robust_accuracy"),
]


def test_the_heat_map_also_shows_attacks_without_an_eps():
    free = [replace(each, metric=each.metric.replace("robust", "attacked")) for each in TRANSFER]

    assert [text.get_text() for text in transfer_matrix(free).axes[0].texts] == [
        text.get_text() for text in transfer_matrix(TRANSFER).axes[0].texts
    ]


def test_a_cell_of_the_heat_map_is_the_error_on_what_was_made_to_fool_its_row():
    figure = transfer_matrix(TRANSFER)

    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["mlp", "cnn"]
    np.testing.assert_allclose(axes.collections[0].get_array().reshape(2, 2), [[0.7, 0.1], [0.2, 0.6]])
    assert "made to fool mlp, error of cnn 10%" in figure.get_label()


def test_what_was_never_attacked_has_no_row_of_its_own():
    rows = [*TRANSFER, row("softmax", "digits/mlp/fgsm", 0.2, "transfer from mlp")]

    (axes,) = transfer_matrix(rows).axes

    assert [label.get_text() for label in axes.get_yticklabels()] == ["mlp", "cnn"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["mlp", "cnn", "softmax"]


def test_a_heat_map_of_one_classifier_is_refused():
    with pytest.raises(ValueError, match="made to fool another classifier"):
        transfer_matrix(TRANSFER[:2])


def path_cells(entry="mlp", seed=0):
    """Two images of class 0: the logit of class 1 overtakes in the first, and never in the second."""
    cells = []
    for place, t in enumerate((0.0, 0.1, 0.2)):
        logits = np.array([[1 - 10 * t, 0.0], [1.0, 0.0]])
        exact = None if t == 0 else logits
        noun = Outputs(logits, np.zeros(2, np.int64), np.arange(2), unquantised_logits=exact)
        settings = {"use": "attacks/fgsm", "eps": t, "clip": False, "target": "none"}
        more = {"attack": f"fgsm_{place}", "victim": f"{entry}.{seed}", "settings": settings} if t else {}
        cells.append(Cell(noun, f"o{place}", entry, seed, "digits", **more))
    return cells


def test_logits_are_drawn_over_t_and_the_winner_is_named():
    images = np.zeros((2, 1, 2, 2), np.float32)
    clean = ExampleSet(images, np.zeros(2, np.int64), np.arange(2), "fashion_mnist/two_classes", {"relabelled": [8, 9]})
    examples = [Cell(clean, "e", examples="digits")]

    figure = logit_lines(path_cells(), examples, images=2)

    first, second = figure.axes
    (true,) = (line for line in first.lines if line.get_label() == "true class")
    np.testing.assert_allclose(true.get_xydata(), [[0, 1], [0.1, 0], [0.2, -1]])
    assert first.get_title(loc="center") == "mlp: bag → ankle boot"
    assert second.get_title(loc="center") == "mlp: bag"
    with pytest.raises(ValueError, match="seed 3"):
        logit_lines(path_cells(), examples, seed=3)


def test_a_logit_far_below_does_not_flatten_the_true_class_and_its_rival():
    cells = path_cells()
    for cell in cells:
        far = np.hstack([cell.noun.logits, [[-700.0], [-4.0]]])
        exact = None if cell.noun.unquantised_logits is None else far
        vars(cell.noun).update(logits=far, unquantised_logits=exact)

    first, second = logit_lines(cells, [], images=2).axes

    assert first.get_ylim()[0] == pytest.approx(-1 - 2 * 2)  # the true class falls from 1 to -1, its rival stays at 0
    assert second.get_ylim()[0] == pytest.approx(0 - 2 * 1)


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


def test_both_rows_of_weights_show_the_same_units():
    plain = {"1.weight": np.array([[0.1, 0, 0, 0], [0, 2.0, 0, 0], [0, 0, -1.0, 0]])}
    robust = {"1.weight": np.array([[9.0, 0, 0, 0], [0, 1.0, 0, 0], [0, 0, 1.0, 0]])}
    cells = [checkpoint(plain), checkpoint(robust, entry="mlp_fgsm")]

    figure = first_layer_weights(cells, units=2)

    first, second = (axes.images[0].get_array() for axes in figure.axes)
    np.testing.assert_allclose(first[:, :2], [[0.5, 1.0], [0.5, 0.5]])  # unit 1, scaled by its greatest weight
    np.testing.assert_allclose(first[:, 3:5], [[0.5, 0.5], [0.25, 0.5]])  # unit 2, negative: darker
    np.testing.assert_allclose(second[:, :2], [[0.5, 1.0], [0.5, 0.5]])


def test_a_convolution_has_no_weights_of_the_size_of_the_image():
    cell = checkpoint({"0.weight": np.ones((2, 1, 1, 1))})

    with pytest.raises(ValueError, match="first layer is linear"):
        first_layer_weights([cell])
    assert first_layer_weights([cell, replace(checkpoint({"1.weight": np.eye(4)}), entry="other")]).axes
