"""The binarisation test of an attack: does it solve problems that are known to have a solution?"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from touchstone.attacks.adversary.perturbations import check_inputs
from touchstone.attacks.adversary.planted import Planted, plant, tried
from touchstone.contracts import Attack, Model, NonNegativeInt, PositiveInt, UnitInterval
from touchstone.numerics.tensors import RandomStreams, batches, frozen


def binarisation(
    model: Model,
    images: Tensor,
    labels: Tensor,
    generator: RandomStreams,
    *,
    eps: UnitInterval = 0.1,
    attack: Attack | None = None,
    corners: NonNegativeInt = 0,
    inner_points: PositiveInt = 999,
    closeness: UnitInterval = 0.999,
) -> Tensor:
    """Run an attack on planted problems instead of on the network.

    For each image, the last layer of the network is replaced by a linear readout to two classes. One random corner of the
    ball is in the second class; the image and random points inside the ball are in the first. So an adversarial example
    exists, and an attack that does not find one is too weak for this network.

    Images are attacked one by one, because each has its own readout. An attack on a loss that needs three classes (DLR)
    cannot be tested.

    Args:
        model: images in [0, 1] to logits (N, K).
        images: (N, C, H, W) in [0, 1].
        labels: (N,) int64; the planted problems have their own.
        generator: random streams of the images.
        eps: L-inf radius in pixel units, that of `attack`.
        attack: the attack under test; None searches at random.
        corners: random corners of the ball to try if there is no attack. With 0, the planted solutions are returned.
        inner_points: number of random points in the first class.
        closeness: where the readout's hyperplane is, from 0, in the middle of the margin, to 1, at the planted solution.

    Returns:
        (N, C, H, W) in [0, 1]: per image, the attack's point if it solves the planted problem; the image itself if it does
        not, or if no problem can be planted.

    Raises:
        ValueError: `attack` leaves the ball.

    References:
        Zimmermann et al. 2022; docs/papers/shared.md, "Binarisation test".
    """
    with frozen(model), torch.no_grad():
        check_inputs(model, images, labels)
        result = images.detach().clone()
        for (row,) in batches(1, torch.arange(len(images), device=images.device)):
            image, stream = result[row], generator.take(row)
            problem = plant(model, image, stream, eps=eps, inner_points=inner_points, closeness=closeness)
            if problem is None:
                continue
            planted = Planted(model, problem.readout)

            def solves(points: Tensor, planted: Planted = planted) -> Tensor:
                classes: Tensor = planted(points).argmax(1)
                return classes == 1

            result[row] = tried(
                problem, partial(attack, planted) if attack else None, solves, image, stream, eps, corners
            )
    return result
