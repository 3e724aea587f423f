"""A layer that is off hides its gradient, not its values."""

import torch
from torch import nn

from touchstone.attacks.adaptive._surrogates import SLOPE, leaky_gradients
from touchstone.attacks.adaptive.score_pgd import score_pgd
from touchstone.attacks.adversary.defences import Guarded
from touchstone.detectors.msp import msp
from touchstone.numerics.tensors import RandomStreams


def switched_off():
    """Two classes behind one unit that is on only where the mean of the image is above .6."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 1), nn.ReLU(), nn.Linear(1, 2)).double()
    with torch.no_grad():
        model[1].weight.fill_(0.25)
        model[1].bias.fill_(-0.6)
        model[3].weight.copy_(torch.tensor([[0.0], [10.0]]))
        model[3].bias.copy_(torch.tensor([0.0, 0.1]))
    return model


IMAGES = torch.full((3, 1, 2, 2), 0.5, dtype=torch.float64)


def gradient(model):
    images = IMAGES.clone().requires_grad_()
    return torch.autograd.grad(model(images)[:, 1].sum(), images)[0]


def test_values_stay_and_the_gradient_is_the_slope_times_what_an_open_unit_has():
    model = switched_off()
    before = model(IMAGES)

    with leaky_gradients(model):
        inside, leaked = model(IMAGES), gradient(model)

    assert torch.equal(inside, before)
    torch.testing.assert_close(leaked, torch.full_like(leaked, SLOPE * 10 * 0.25))
    assert float(gradient(model).abs().max()) == 0


def test_an_attack_on_the_score_crosses_a_plateau():
    model = switched_off()
    defence = Guarded(model, msp, ("logits",), {}, 0.0, 1.0, {})

    flags, draws = torch.zeros(3, dtype=torch.bool), RandomStreams(0, "attack", torch.arange(3))
    found = score_pgd(defence, IMAGES, flags, draws, eps=0.2, restarts=1)

    torch.testing.assert_close(found, IMAGES + 0.2)
