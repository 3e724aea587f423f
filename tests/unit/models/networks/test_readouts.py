import pytest
import torch
from torch import nn

from touchstone.attacks.adversary.defences import Guarded
from touchstone.models.networks.readouts import read_out

CONFOUNDING = {"all": {"variant": "softmax", "ones": None, "draws": None}}


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(4, 5), nn.Softplus(), nn.Linear(5, 3)).double()


@pytest.fixture
def images():
    return torch.rand((6, 1, 2, 2), generator=torch.Generator().manual_seed(1)).double()


def test_features_are_the_input_of_the_last_linear_layer(model, images):
    read = read_out(model, images, {}, names=["logits", "features"])

    torch.testing.assert_close(read["features"], model[:3](images))
    torch.testing.assert_close(model[3](read["features"]), read["logits"])


def test_a_network_without_a_linear_layer_has_its_pixels_as_features(images):
    read = read_out(nn.Flatten(), images, {}, names=["features"])

    assert torch.equal(read["features"], images.flatten(1))


def test_gradient_norms_are_differentiable_with_the_right_slope(model, images):
    """Central differences on the sum of the norms: second-order gradients, as adaptive attacks need them."""

    def total(x):
        return read_out(model, x, CONFOUNDING, names=["gradient_norms.all"], differentiable=True)[
            "gradient_norms.all"
        ].sum()

    x = images.clone().requires_grad_()
    (slope,) = torch.autograd.grad(total(x), x)
    step = torch.zeros_like(images)
    step[2, 0, 1, 0] = 1e-5
    numeric = (total(images + step) - total(images - step)) / 2e-5

    assert slope[2, 0, 1, 0].item() == pytest.approx(numeric.item(), rel=1e-5)


def test_a_guarded_network_scores_what_its_detector_reads(model, images):
    defence = Guarded(model, lambda logits, pixels, state: logits.amax(1) + pixels.mean((1, 2, 3)) + state["a"],
                      ("logits", "images", "state"), {"a": torch.ones(())}, 0.0, 1.0, {})  # fmt: skip

    logits, scores = defence.read(images)

    torch.testing.assert_close(scores, logits.amax(1) + images.mean((1, 2, 3)) + 1)
