import pytest
import torch
from torch import nn

from touchstone.detectors.gradient_sum import gradient_sum
from touchstone.models.networks.confounding import confounding_labels, confounding_norms


def test_gradient_sum_adds_the_columns():
    assert gradient_sum(torch.tensor([[1.0, 2.0, 4.0], [0.0, 0.0, 0.0]])).tolist() == [7, 0]


def test_the_sum_is_larger_for_a_confident_row_of_a_linear_model():
    """At the last layer the sign of the papers is the wrong way round."""
    model = nn.Linear(2, 4, bias=False)
    model.weight.data = torch.tensor([[8.0, 0.0], [-8.0, 0.0], [0.0, 0.0], [0.0, 0.0]])

    norms = confounding_norms(model, torch.eye(2), confounding_labels(4), variant="softmax")

    confident, uniform = gradient_sum(norms)
    assert uniform == pytest.approx(0, abs=1e-12)
    assert confident == pytest.approx(4**2 - 4, rel=1e-2)


def test_gradient_sum_agrees_with_pytorch_ood_up_to_its_sign():
    reference = pytest.importorskip("pytorch_ood.detector").GradUncertainty
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model, images = (
            nn.Sequential(nn.Flatten(), nn.Linear(16, 5), nn.ReLU(), nn.Linear(5, 3)),
            torch.rand(6, 1, 4, 4),
        )

    ours = gradient_sum(confounding_norms(model, images, confounding_labels(3), variant="softmax"))

    torch.testing.assert_close(ours, -reference(model).predict(images), rtol=1e-4, atol=1e-6)
