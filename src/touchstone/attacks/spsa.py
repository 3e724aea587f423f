"""SPSA: ascent along gradients that are estimated from forward passes only."""

from __future__ import annotations

import torch
from torch import Tensor

from touchstone.attacks.adversary.losses import keep_higher, margin_loss
from touchstone.attacks.adversary.perturbations import Ball, check_inputs
from touchstone.contracts import Model, PositiveFloat, PositiveInt, UnitInterval
from touchstone.numerics.tensors import RandomStreams, frozen


def spsa(
    model: Model,
    images: Tensor,
    labels: Tensor,
    generator: RandomStreams,
    *,
    eps: UnitInterval = 0.1,
    steps: PositiveInt = 30,
    samples: PositiveInt = 16,
    probe: PositiveFloat = 0.01,
    learning_rate: PositiveFloat = 0.01,
) -> Tensor:
    """Raise the margin loss along gradients estimated from logits only.

    Each step averages `samples` differences over random signs of size `probe`, and moves by Adam. It takes
    steps * (2 * samples + 1) forward passes per image.

    Args:
        model: images in [0, 1] to logits (N, K).
        images: (N, C, H, W) in [0, 1].
        labels: (N,) int64, the true classes.
        generator: random streams of the images.
        eps: L-inf radius in pixel units.
        steps: Adam steps.
        samples: pairs of forward passes per step.
        probe: distance of the probes from the point, in pixel units.
        learning_rate: of Adam, in pixel units.

    Returns:
        (N, C, H, W) in [0, 1]: per image, the point with the highest margin loss; the image only if none is higher.

    References:
        Uesato et al. 2018, section 4; Spall 1992.
    """
    with frozen(model), torch.no_grad():
        check_inputs(model, images, labels)
        ball, shape = Ball(images, eps), images.shape[1:]
        best, best_loss = images, margin_loss(model(images), labels)
        points = images.clone().requires_grad_()
        optimiser = torch.optim.Adam([points], lr=learning_rate, maximize=True)
        for _ in range(steps):
            estimate = torch.zeros_like(images)
            for _ in range(samples):
                signs = generator.signs(shape, images.dtype)
                rise = [margin_loss(model(points + side * probe * signs), labels) for side in (1, -1)]
                estimate += (rise[0] - rise[1]).view(-1, *[1] * len(shape)) / (2 * probe * samples) * signs
            points.grad = estimate
            optimiser.step()
            points.copy_(ball.project(points))
            best, best_loss = keep_higher(best, best_loss, points.detach(), margin_loss(model(points), labels))
    return best.clone()
