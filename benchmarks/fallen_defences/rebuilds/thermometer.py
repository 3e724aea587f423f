"""Thermometer encoding: a pixel becomes sixteen bits, each of which says whether it is above a level.

The code is a step function, so its gradient is zero. The authors attack it by LS-PGA: every pixel is a soft choice among the
levels within eps, that is annealed to a hard one. Athalye et al. follow the gradient of a ramp in place of each step.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from fallen_defences.attacks import climb, inside, lead, slope, textbook_pgd, wrong
from fallen_defences.defence import Defence, Hidden, Paper
from fallen_defences.lab import Base, mean_cross_entropy
from touchstone.models.small_cnn import small_cnn

PAPER = Paper(
    mechanism="shattered gradients",
    defence="Buckman et al. 2018 (ICLR, OpenReview S18Su--CW)",
    felled="Athalye et al. 2018 (1802.00420)",
    deviates="a plain training; the paper also trains on LS-PGA images, which the twin replaces by PGD past the ramps",
)
LEVELS = 16
STEPS, SIZE, ANNEAL = 7, 0.1, 1.2  # of LS-PGA


class Thermometer(Hidden):
    """(N, 1, H, W) to (N, 16, H, W): bit k is 1 if the pixel is above k / 16."""

    def hard(self, values: Tensor) -> Tensor:
        """Return the code."""
        return (values > self.thresholds(values)).to(values.dtype)

    def soft(self, values: Tensor) -> Tensor:
        """Return the ramps of Athalye et al."""
        return (values - self.thresholds(values)).clamp(0, 1)

    @staticmethod
    def thresholds(values: Tensor) -> Tensor:
        """Return the levels, (1, 16, 1, 1)."""
        return torch.arange(LEVELS, device=values.device)[None, :, None, None] / LEVELS


def architecture(input_shape: tuple[int, int, int], classes: int) -> nn.Module:
    """Return the small CNN behind the code."""
    return nn.Sequential(Thermometer(), small_cnn((LEVELS, *input_shape[1:]), classes))


def ls_pga(network: nn.Module, images: Tensor, labels: Tensor, eps: float) -> Tensor:
    """Attack by logit-space projected gradient ascent; a network without the code by as many steps of PGD."""
    if not any(isinstance(part, Thermometer) for part in network.modules()):
        return textbook_pgd(network, images, labels, eps, steps=STEPS, size=eps / 4)
    after_code = network[1][1]  # type: ignore[index]  # behind the normalisation and the code
    centres = ((torch.arange(LEVELS) + 0.5) / LEVELS)[None, :, None, None]
    allowed = (centres - images).abs() <= max(eps, 0.5 / LEVELS)
    choice = torch.randn_like(allowed, dtype=images.dtype).masked_fill(~allowed, -torch.inf)
    temperature = 1.0

    def loss(moved: Tensor) -> Tensor:
        chosen = (moved / temperature).softmax(1)
        code = chosen.flip(1).cumsum(1).flip(1)  # a pixel of level k has the bits 0 to k
        return -after_code(code).log_softmax(1).gather(1, labels[:, None])

    for _ in range(STEPS):
        choice = choice + (SIZE * slope(loss, choice).nan_to_num().sign()).masked_fill(~allowed, 0)
        temperature /= ANNEAL
    picked = choice.argmax(1, keepdim=True)
    return inside(centres.expand_as(choice).gather(1, picked), images, eps)


def build(base: Base) -> Defence:
    """Return the defence."""
    model = base.trained("thermometer", architecture, mean_cross_entropy, source=Thermometer)

    def felling(images: Tensor, labels: Tensor, eps: float) -> Tensor:
        return climb(lead(model, labels), images, eps, restarts=3, fooled=wrong(model, labels))

    return Defence(model, ls_pga, felling)
