"""Confounding labels and losses against closed forms, symmetries, extreme logits."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from touchstone.attacks.adversary.losses import outlier_exposure
from touchstone.models.networks.confounding import confounding_labels, confounding_loss, confounding_norms
from touchstone.models.networks.readouts import read_out
from touchstone.numerics.gradient_norms import gradient_norms

CLASSES = 5
torch.set_num_threads(1)

ALL, NONE = torch.ones(CLASSES), torch.zeros(CLASSES)


@pytest.fixture(autouse=True)
def _seed():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


@pytest.fixture
def logits():
    return 3 * torch.randn(6, CLASSES, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def logit_gradient(logits, label, variant):
    logits = logits.clone().requires_grad_()
    return torch.autograd.grad(confounding_loss(logits, label, variant=variant).sum(), logits)[0]


@pytest.mark.parametrize("variant", ["softmax", "sigmoid"])
@pytest.mark.parametrize("ones", [0, 2, 3, CLASSES])
def test_the_loss_is_the_binary_cross_entropy_summed_over_classes(logits, variant, ones):
    (label,) = confounding_labels(CLASSES, ones)
    q = logits.softmax(1) if variant == "softmax" else logits.sigmoid()

    loss = confounding_loss(logits, label, variant=variant)

    expected = functional.binary_cross_entropy(q, label.double().expand_as(q), reduction="none").sum(1)
    torch.testing.assert_close(loss, expected)


@pytest.mark.parametrize("ones", [0, 2, 3, CLASSES])
def test_the_softmax_gradient_is_that_of_the_paper(logits, ones):
    (label,) = confounding_labels(CLASSES, ones)
    p, y = logits.softmax(1), label.double()
    a = -y / p + (1 - y) / (1 - p)

    gradient = logit_gradient(logits, label, "softmax")

    torch.testing.assert_close(gradient, p * (a - (a * p).sum(1, keepdim=True)))


def test_the_softmax_gradient_of_all_ones_is_n_p_minus_one(logits):
    torch.testing.assert_close(logit_gradient(logits, ALL, "softmax"), CLASSES * logits.softmax(1) - 1)


@pytest.mark.parametrize("ones", [0, 2, CLASSES])
def test_the_sigmoid_gradient_is_sigmoid_minus_label(logits, ones):
    (label,) = confounding_labels(CLASSES, ones)

    torch.testing.assert_close(logit_gradient(logits, label, "sigmoid"), logits.sigmoid() - label.double())


def test_the_softmax_loss_of_all_ones_is_n_times_the_outlier_loss(logits):
    loss = confounding_loss(logits, ALL, variant="softmax")

    torch.testing.assert_close(loss, CLASSES * outlier_exposure(logits))
    assert (loss > CLASSES * torch.tensor(float(CLASSES)).log()).all()


def test_the_softmax_loss_of_all_ones_is_least_where_the_softmax_is_uniform():
    loss = confounding_loss(torch.full((1, CLASSES), 7.0), ALL, variant="softmax")

    assert loss.item() == pytest.approx(CLASSES * torch.tensor(float(CLASSES)).log().item())


def test_a_constant_on_all_logits_changes_the_sigmoid_loss_alone(logits):
    for label in (ALL, NONE, confounding_labels(CLASSES, 2)[0]):
        before, after = (confounding_loss(logits + shift, label, variant="softmax") for shift in (0, 2.5))
        torch.testing.assert_close(before, after)
    before, after = (confounding_loss(logits + shift, ALL, variant="sigmoid") for shift in (0, 2.5))
    assert (before - after).min() > 0.01


def test_sigmoid_gradients_of_all_zeros_and_all_ones_differ_by_one_per_logit(logits):
    difference = logit_gradient(logits, NONE, "sigmoid") - logit_gradient(logits, ALL, "sigmoid")

    torch.testing.assert_close(difference, torch.ones_like(logits))


@pytest.mark.parametrize("variant", ["softmax", "sigmoid"])
@pytest.mark.parametrize("ones", [0, 2, CLASSES])
def test_the_loss_and_its_gradient_are_finite_on_confident_rows(variant, ones):
    (label,) = confounding_labels(CLASSES, ones)
    logits = torch.tensor([[300.0, 0, 0, 0, -300], [0, 0, 300, 0, 0], [-300, 30, -30, 0, 0]])

    loss, gradient = confounding_loss(logits, label, variant=variant), logit_gradient(logits, label, variant)

    assert loss.isfinite().all()
    assert gradient.isfinite().all()
    assert gradient.abs().amax(1).min() > 1e-3, "a clamped logarithm has no gradient here"


def test_log_of_one_minus_a_probability_near_one_keeps_its_digits():
    logits = torch.tensor([[40.0, 0.0, 0.0]])  # in float32 the softmax of the first class rounds to 1

    loss = confounding_loss(logits, torch.zeros(3), variant="softmax")

    assert loss.item() == pytest.approx(40 - torch.tensor(2.0).log().item(), rel=1e-6)


def test_the_label_may_differ_by_row(logits):
    labels = torch.stack([ALL, NONE, ALL, confounding_labels(CLASSES, 2)[0], NONE, ALL])

    together = confounding_loss(logits, labels, variant="softmax")

    alone = [confounding_loss(row[None], label, variant="softmax") for row, label in zip(logits, labels, strict=True)]
    torch.testing.assert_close(together, torch.cat(alone))


def test_labels_hold_the_first_classes_or_seeded_draws():
    assert confounding_labels(4).tolist() == [[1, 1, 1, 1]]
    assert confounding_labels(4, 0, draws=3).tolist() == [[0, 0, 0, 0]]
    assert confounding_labels(4, 2).tolist() == [[1, 1, 0, 0]]
    drawn = confounding_labels(10, 3, draws=20, seed=1)
    assert drawn.shape == (20, 10)
    assert (drawn.sum(1) == 3).all()
    assert len(torch.unique(drawn, dim=0)) > 10
    assert torch.equal(drawn, confounding_labels(10, 3, draws=20, seed=1))
    assert not torch.equal(drawn, confounding_labels(10, 3, draws=20, seed=2))


@pytest.mark.parametrize("ones", [1, -1, 5])
def test_an_ordinary_label_is_refused(ones):
    with pytest.raises(ValueError, match=f"0 or from 2 to 4 .* got {ones}"):
        confounding_labels(4, ones)


def test_norms_of_a_linear_softmax_model_are_the_closed_form(logits):
    model, images = nn.Linear(7, CLASSES).double(), torch.rand(4, 7, dtype=torch.float64)
    delta = CLASSES * model(images).softmax(1).detach() - 1

    norms = confounding_norms(model, images, confounding_labels(CLASSES), variant="softmax")

    bias = delta.square().sum(1)
    torch.testing.assert_close(norms, torch.stack([bias * images.square().sum(1), bias], 1), rtol=1e-6, atol=0)


def blind_network():
    """Return a network whose last layer is zero, so that its prediction is uniform."""
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, CLASSES)).double()
    nn.init.zeros_(model[2].weight)
    nn.init.zeros_(model[2].bias)
    return model


def test_a_uniform_prediction_has_no_softmax_gradient_anywhere():
    norms = confounding_norms(blind_network(), torch.rand(2, 3).double(), ALL[None], variant="softmax")

    torch.testing.assert_close(norms, torch.zeros(2, 4, dtype=torch.float64), rtol=0, atol=1e-28)


def test_a_zero_logit_has_a_sigmoid_gradient_of_one_half():
    norms = confounding_norms(blind_network(), torch.rand(2, 3).double(), ALL[None], variant="sigmoid")

    torch.testing.assert_close(norms[:, 3], torch.full((2,), CLASSES / 4, dtype=torch.float64))


def test_norms_of_several_labels_are_averaged():
    model, images = nn.Linear(7, CLASSES).double(), torch.rand(4, 7, dtype=torch.float64)
    labels = confounding_labels(CLASSES, 2, draws=3)

    norms = confounding_norms(model, images, labels, variant="sigmoid")

    each = [gradient_norms(model, images, lambda z, y=y: confounding_loss(z, y, variant="sigmoid")) for y in labels]
    torch.testing.assert_close(norms, (each[0] + each[1] + each[2]) / 3)


def test_norms_agree_with_pytorch_ood_up_to_its_sign():
    detector = pytest.importorskip("pytorch_ood.detector")
    model = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(108, CLASSES)).eval()
    images = torch.rand(6, 1, 8, 8)

    ours = confounding_norms(model, images, confounding_labels(CLASSES), variant="softmax").sum(1)

    torch.testing.assert_close(ours, -detector.GradUncertainty(model).predict(images), rtol=1e-4, atol=0)


@pytest.mark.parametrize("variant", ["softmax", "sigmoid"])
def test_without_a_label_the_class_that_each_image_predicts_is_the_label(variant):
    model = nn.Linear(7, CLASSES).double()
    images = torch.rand(6, 7, dtype=torch.float64)
    predicted = functional.one_hot(model(images).argmax(1), CLASSES)

    norms = confounding_norms(model, images, None, variant=variant)

    expected = gradient_norms(model, images, lambda z: confounding_loss(z, predicted, variant=variant))
    torch.testing.assert_close(norms, expected)
    label = {"variant": variant, "ones": 1, "draws": None}
    read = read_out(model, images, {"predicted": label}, names=["gradient_norms.predicted"])
    torch.testing.assert_close(read["gradient_norms.predicted"].detach(), expected)
