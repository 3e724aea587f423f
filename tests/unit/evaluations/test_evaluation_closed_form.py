import numpy as np
import pytest

from touchstone.evaluations.closed_form import closed_form
from touchstone.records.nouns import Cell, Checkpoint, ExampleSet, Outputs

IMAGES = np.array([[0.2, 0.9], [0.8, 0.1], [0.5, 0.45], [0.1, 0.2]], dtype=np.float32).reshape(4, 1, 1, 2)
LABELS = np.array([0, 1, 1, 1])
WEIGHTS, BIAS, MEAN, STD = np.array([3.0, -2.0]), -0.25, 0.25, 0.5


def logits(images):
    z = ((images.reshape(4, 2).astype(np.float64) - MEAN) / STD) @ WEIGHTS + BIAS
    return np.stack([np.zeros(4), z], axis=1)


def cells(eps=0.1, clip=False, eta=None, use="attacks/fgsm", architecture="models/logistic_regression"):
    place = {"examples": "pair"}
    weights = {"linear.weight": WEIGHTS[None].astype(np.float32), "linear.bias": np.array([BIAS], np.float32)}
    checkpoint = Checkpoint(weights, {"use": architecture}, (1, 1, 2), 2, (MEAN,), (STD,))
    signs = np.where(LABELS == 1, 1, -1)[:, None] * np.sign(WEIGHTS)
    moved = IMAGES - (eps * signs if eta is None else eta).reshape(4, 1, 1, 2)
    moved = moved.clip(0, 1) if clip else moved
    settings = {"use": use, "eps": eps, "clip": clip, "target": "none"}
    order = np.array([2, 0, 3, 1])  # rows are joined by id
    outputs = Outputs(logits(moved)[order], LABELS[order], order, unquantised_logits=logits(moved)[order])
    own = {"entry": "logistic", "seed": 0}
    return (
        [Cell(checkpoint, "weights", **own)],
        [Cell(ExampleSet(IMAGES, LABELS, np.arange(4), "pair"), "images", **place)],
        [Cell(outputs, "outputs", attack="fgsm", victim="logistic.0", settings=settings, **place, **own)],
    )


def by_metric(rows):
    return {row.metric: row.value for row in rows}


@pytest.mark.parametrize("clip", [False, True])
@pytest.mark.parametrize("eps", [0.05, 0.15, 0.4])
def test_the_worst_case_of_a_plane_is_what_its_weights_say(eps, clip):
    found = by_metric(closed_form(*cells(eps, clip)))

    assert found["error_minus_closed_form"] == 0
    assert found["greatest_loss_difference"] < 1e-9


def test_the_closed_form_worked_by_hand():
    # In pixels w = (6, -4), b = -.25 - .25 (6 - 4) = -.75: z = -3.15, 3.65, .45, -.95. eps ||w||_1 = 1 at eps .1.
    found = by_metric(closed_form(*cells(0.1)))

    assert found["closed_form_error"] == 0.5  # the third and the fourth


def test_a_weaker_attack_shows():
    found = by_metric(closed_form(*cells(0.4, eta=np.zeros((4, 2)))))

    assert found["error_minus_closed_form"] < 0
    assert found["greatest_loss_difference"] > 1


@pytest.mark.parametrize("other", [{"use": "attacks/pgd"}, {"architecture": "models/mlp"}])
def test_what_has_no_closed_form_is_refused(other):
    with pytest.raises(ValueError, match="no outputs of logistic_regression"):
        closed_form(*cells(**other))
