"""A small network that imitates a defence without a useful gradient, so that attacks have one to follow."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from touchstone.api.deployed import SCORE, Answer, Whole
from touchstone.numerics.tensors import batches, seeded

STEPS, BATCH, RATE = 300, 64, 2e-3
SIDE = 7  # of the maps of features that the last layer reads


class Imitation(nn.Module):
    """A small convolutional network with one output for each logit, and one for the score.

    Args:
        channels: of the images.
        classes: of the defence.
    """

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, 16, 3, padding=1), nn.Softplus(10),
            nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.Softplus(10),
            nn.AdaptiveAvgPool2d(SIDE), nn.Flatten(), nn.Linear(32 * SIDE * SIDE, classes + 1),
        )  # fmt: skip

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits and the score in one row per image, (N, K + 1), in units of their spread."""
        rows: Tensor = self.body(images)
        return rows

    def answer(self, images: Tensor) -> Answer:
        """Return what stands in for the logits and scores of the defence."""
        rows = self(images)
        return Answer(rows[:, :-1], rows[:, -1], SCORE)


def imitated(defence: Whole, images: Tensor, eps: float, seed: int, batch_size: int) -> Imitation:
    """Return a network that was trained on the answers of a defence, on images and on points around them.

    Args:
        defence: what is imitated; only its answers are read, never its gradient.
        images: (N, C, H, W) in [0, 1].
        eps: how far around the images the defence is asked.
        seed: of the points and of the training.
        batch_size: images per call of the defence.

    References:
        Papernot et al. 2017, Practical black-box attacks against machine learning, section 4.
    """
    with seeded(seed, "imitation"), torch.no_grad():
        near = [images + size * eps * (2 * torch.rand_like(images) - 1) for size in (1, 2)]
        signs = [images + eps * torch.rand_like(images).sub(0.5).sign() for _ in range(2)]
        points = torch.cat([images, *(some.clamp(0, 1) for some in (*near, *signs))])
        answers = [defence.read(batch) for (batch,) in batches(batch_size, points)]
        wanted = torch.cat([torch.cat([logits, scores[:, None]], 1) for logits, scores in answers])
        wanted[:, :-1] = (wanted[:, :-1] - wanted[:, :-1].mean()) / wanted[:, :-1].std().clamp_min(1e-9)
        wanted[:, -1] = (wanted[:, -1] - wanted[:, -1].mean()) / wanted[:, -1].std().clamp_min(1e-9)
        network = Imitation(images.shape[1], wanted.shape[1] - 1).to(images.device, images.dtype)
        with torch.enable_grad():
            optimiser = torch.optim.Adam(network.parameters(), RATE)
            for _ in range(STEPS):
                rows = torch.randint(len(points), (BATCH,), device=points.device)
                loss = (network(points[rows]) - wanted[rows]).square().mean()
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
    return network.eval().requires_grad_(False)
