"""Models that draw random numbers or purify their input, as attacks must see them: their expectation, and a gradient."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from touchstone.contracts import Model


def expected(model: Model, draws: int, backward: Model | None = None) -> Callable[[Tensor], Tensor]:
    """Return a model whose logits are the logarithms of the mean probabilities over several draws of `model`.

    Args:
        model: images to logits (N, K); it may answer differently at each call.
        draws: calls per pass; the gradient is that of their expectation.
        backward: the model to differentiate in place of `model`, whose answers stay those of `model`. For a purifier whose
            gradient is zero or missing, this is the same model with a differentiable stand-in for it.

    References:
        Athalye et al. 2018, expectation over transformation, and backward pass differentiable approximation (BPDA).
    """

    def answer(images: Tensor) -> Tensor:
        if backward is None or not torch.is_grad_enabled():
            return model(images)
        stand_in = backward(images)
        with torch.no_grad():
            own = model(images)
        return stand_in + (own - stand_in).detach()

    def logits(images: Tensor) -> Tensor:
        if draws == 1:
            return answer(images)
        return torch.stack([answer(images).log_softmax(1) for _ in range(draws)]).logsumexp(0)

    return logits
