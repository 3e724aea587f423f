"""SPSA: ascent along gradients estimated from scores alone."""

from __future__ import annotations

import torch
from torch import Tensor

from touchstone.adversary.losses import keep_higher, margin_loss
from touchstone.adversary.perturbations import Ball, check_inputs
from touchstone.contracts import Model, PositiveFloat, PositiveInt, UnitInterval
from touchstone.numerics.tensors import Draws, frozen


def spsa(
    model: Model,
    images: Tensor,
    labels: Tensor,
    generator: Draws,
    *,
    eps: UnitInterval = 0.1,
    steps: PositiveInt = 30,
    samples: PositiveInt = 16,
    probe: PositiveFloat = 0.01,
    learning_rate: PositiveFloat = 0.01,
) -> Tensor:
    """Return, per image, the point of highest margin loss met within L-inf `eps`; the image only if none is higher.

    images (N, C, H, W) in [0, 1], labels (N,) int64; the result has the same shape and range. The model is asked for
    logits, never for gradients, steps * (2 * samples + 1) times per image: each step averages `samples` differences
    over random signs of size `probe` and moves by Adam. Uesato et al. 2018, section 4 (Spall 1992).
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
