"""TRADES: accuracy on clean images, and the same prediction within eps."""

from __future__ import annotations

from torch import Tensor

from touchstone.contracts import Model, NonNegativeFloat, PositiveFloat, PositiveInt, UnitInterval
from touchstone.numerics.tensors import RandomStreams
from touchstone.training._inner_maximisers import divergent, trades_loss


def trades(
    model: Model,
    images: Tensor,
    labels: Tensor,
    generator: RandomStreams,
    *,
    eps: UnitInterval = 8 / 255,
    steps: PositiveInt = 10,
    step_size: PositiveFloat | None = None,
    beta: NonNegativeFloat = 6.0,
) -> Tensor:
    """Train on cross-entropy and on the worst KL divergence within `eps`.

    The point x' comes from L-inf PGD on the KL itself, from x + .001 * N(0, I), in eval mode. Gradients pass through both
    sides of the KL.

    Args:
        model: images in [0, 1] to logits (N, K), being trained.
        images: (N, C, H, W) in [0, 1].
        labels: (N,) int64, the true classes.
        generator: random streams of the images, for the start.
        eps: L-inf radius in pixel units.
        steps: gradient steps.
        step_size: length of a step; None means 2.5 * eps / steps.
        beta: weight of the KL.

    Returns:
        The mean of CE(f(x), y) + beta * KL(f(x) || f(x')).

    References:
        Zhang et al. 2019, eq. 5 and algorithm 1.
    """
    attacked = divergent(model, images, generator, eps=eps, steps=steps, step_size=step_size)
    logits = model(images)
    return trades_loss(logits, model(attacked), labels, beta).mean()
