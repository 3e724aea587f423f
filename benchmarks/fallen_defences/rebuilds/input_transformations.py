"""Input transformations: fewer grey levels, then the mean prediction of an ensemble of random crops.

The network is trained on transformed images. It was shown against attacks that do not know the transformations. Athalye et
al. take the rounding for the identity, and follow the mean gradient over many draws.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from fallen_defences.attacks import climb, deepfool, lead
from fallen_defences.defence import Defence, Hidden, Paper
from fallen_defences.lab import Base, mean_cross_entropy
from touchstone.models.small_cnn import small_cnn

PAPER = Paper(
    mechanism="ensembles",
    defence="Guo et al. 2018 (1711.00117)",
    felled="Athalye et al. 2018 (1802.00420)",
    deviates="8 grey levels and 10 crops of 24 pixels; the paper has 30 crops, and also JPEG, total variation and quilting",
)
LEVELS, CROPS, SIDE = 8, 10, 24
DRAWS, STEPS = 5, 50  # of EOT, each draw with all its crops


class Rounded(Hidden):
    """Fewer grey levels."""

    def hard(self, values: Tensor) -> Tensor:
        """Return the nearest of the levels."""
        return (values * (LEVELS - 1)).round() / (LEVELS - 1)


class Cropped(nn.Module):
    """A random crop of each image, enlarged to its size."""

    def forward(self, images: Tensor) -> Tensor:
        """Return images of the same shape."""
        share = SIDE / images.shape[-1]
        affine = torch.zeros(len(images), 2, 3)
        affine[:, 0, 0] = affine[:, 1, 1] = share
        affine[:, :, 2] = (1 - share) * (2 * torch.rand(len(images), 2) - 1)
        grid = functional.affine_grid(affine, list(images.shape), align_corners=False)
        return functional.grid_sample(images, grid, align_corners=False)


class Averaged(nn.Module):
    """The logarithm of the mean probabilities of several crops."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """Return logits."""
        return torch.stack([self.network(images).log_softmax(1) for _ in range(CROPS)]).logsumexp(0)


def architecture(input_shape: tuple[int, int, int], classes: int) -> nn.Module:
    """Return the small CNN behind rounding and one crop, as it is trained."""
    return nn.Sequential(Rounded(), Cropped(), small_cnn(input_shape, classes))


def build(base: Base) -> Defence:
    """Return the defence."""
    model = Averaged(base.trained("transformed", architecture, mean_cross_entropy, source=Cropped)).eval()

    def felling(images: Tensor, labels: Tensor, eps: float) -> Tensor:
        return climb(lead(model, labels, DRAWS), images, eps, steps=STEPS)

    return Defence(model, deepfool, felling, seen=base.network, drawn=True, share=10)
