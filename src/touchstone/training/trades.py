"""TRADES: accuracy on clean images, and no change of mind within eps."""

from __future__ import annotations

from torch import Tensor

from touchstone.contracts import Model, NonNegativeFloat, PositiveFloat, PositiveInt, UnitInterval
from touchstone.numerics.tensors import Draws
from touchstone.training._inner_maximisers import divergent, trades_loss


def trades(
    model: Model,
    images: Tensor,
    labels: Tensor,
    generator: Draws,
    *,
    eps: UnitInterval = 8 / 255,
    steps: PositiveInt = 10,
    step_size: PositiveFloat | None = None,
    beta: NonNegativeFloat = 6.0,
) -> Tensor:
    """Return the mean of CE(f(x), y) + beta * KL(f(x) || f(x')), x' the point within `eps` where the KL is highest.

    x' comes from L-inf PGD on the KL itself, from x + .001 * N(0, I), in eval mode; `step_size` None means
    2.5 * eps / steps. Gradients pass through both sides of the KL. Zhang et al. 2019, eq. 5 and algorithm 1.
    """
    attacked = divergent(model, images, generator, eps=eps, steps=steps, step_size=step_size)
    logits = model(images)
    return trades_loss(logits, model(attacked), labels, beta).mean()
