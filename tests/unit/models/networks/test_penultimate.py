"""Features are those of the layer that makes the logits, whatever the logits' scale."""

import pytest
import torch
from torch import nn

from touchstone.models.networks.penultimate import features_of

IMAGES = torch.rand(8, 1, 2, 2, generator=torch.Generator().manual_seed(0))


class Scaled(nn.Module):
    """A network whose last layer is followed by a factor, and by a shift."""

    def __init__(self, scale, shift=0.0):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.hidden, self.last = nn.Linear(4, 5), nn.Linear(5, 3)
        with torch.no_grad():
            self.last.weight.mul_(scale)
            self.last.bias.mul_(scale)
        self.shift = shift

    def forward(self, images):
        logits = self.last(self.hidden(images.flatten(1)).relu())
        return logits + self.shift * logits.detach().abs().max()


@pytest.mark.parametrize("scale", [1e-6, 1e-4, 1, 1e4, 1e6])
def test_a_layer_that_makes_the_logits_is_found_and_another_is_not(scale):
    network = Scaled(scale)
    logits = network(IMAGES).detach()
    rounded = logits + 4 * 2**-23 * logits.abs().max()

    assert features_of(network, IMAGES, rounded).shape == (8, 5)
    with pytest.raises(ValueError, match="its last linear layer does not make the logits"):
        features_of(Scaled(scale, 0.01), IMAGES, Scaled(scale, 0.01)(IMAGES))
