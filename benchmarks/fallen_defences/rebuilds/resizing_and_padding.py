"""Random resizing and padding: each call shrinks the image to a random size and puts it at a random place.

It was shown against attacks on the network without the layer, which are not stopped by it unless they are minimal. Athalye
et al. follow the mean gradient over many draws.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from fallen_defences.attacks import climb, deepfool, lead
from fallen_defences.defence import Defence, Paper
from fallen_defences.lab import Base

PAPER = Paper(
    mechanism="random",
    defence="Xie et al. 2018 (1711.01991)",
    felled="Athalye et al. 2018 (1802.00420)",
    deviates="the network takes 28 pixels, so images shrink to between 26 and 28 before they are padded; the paper enlarges",
)
SMALLEST = 26 / 28
DRAWS, STEPS = 30, 50  # of EOT


class Resized(nn.Module):
    """Shrink each image to a random size and pad it with black at a random place, by bilinear sampling."""

    def forward(self, images: Tensor) -> Tensor:
        """Return images of the same shape."""
        size = SMALLEST + (1 - SMALLEST) * torch.rand(len(images))
        shift = (1 - size)[:, None] * (2 * torch.rand(len(images), 2) - 1)
        affine = torch.zeros(len(images), 2, 3)
        affine[:, 0, 0] = affine[:, 1, 1] = 1 / size
        affine[:, :, 2] = shift / size[:, None]
        grid = functional.affine_grid(affine, list(images.shape), align_corners=False)
        return functional.grid_sample(images, grid, align_corners=False)


def build(base: Base) -> Defence:
    """Return the defence."""
    model = nn.Sequential(Resized(), base.network).eval()

    def felling(images: Tensor, labels: Tensor, eps: float) -> Tensor:
        return climb(lead(model, labels, DRAWS), images, eps, steps=STEPS)

    return Defence(model, deepfool, felling, seen=base.network, drawn=True)
