"""What the tests of the notebook calls share: images, and a network that was trained on others of the same kind."""

import pytest
import torch
from torch import nn

SHAPE = (1, 4, 4)


@pytest.fixture(scope="module")
def world():
    """Images whose class is the bright row, and a network that was trained on others of them."""
    generator = torch.Generator().manual_seed(0)

    def draw(count):
        images, labels = 0.3 * torch.rand(count, *SHAPE, generator=generator), torch.arange(count) % 3
        images[torch.arange(count), 0, labels] += 0.5
        return images, labels

    images, labels = draw(300)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Flatten(), nn.Linear(16, 12), nn.ReLU(), nn.Linear(12, 3))
    optimiser = torch.optim.Adam(model.parameters(), 0.02)
    for _ in range(60):
        optimiser.zero_grad()
        nn.functional.cross_entropy(model(images), labels).backward()
        optimiser.step()
    return model.eval(), draw(90), draw(120)
