"""Models that draw random numbers or purify their input, as attacks must see them: their expectation, and a gradient."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from touchstone.contracts import Model


class Expected(nn.Module):
    """A model's mean probabilities over several draws, as logits, with the gradient of another model if there is one.

    Attacks on a randomised defence follow this expectation. A prediction of the defence itself is that of a single draw.

    Args:
        model: images to logits (N, K); it may answer differently at each call.
        draws: calls per pass; the gradient is that of their expectation.
        backward: the model to differentiate in place of `model`, whose answers stay those of `model`. For a purifier whose
            gradient is zero or missing, this is the same model with a differentiable stand-in for it.

    References:
        Athalye et al. 2018, expectation over transformation (EOT), and backward pass differentiable approximation (BPDA).
    """

    def __init__(self, model: Model, draws: int, backward: Model | None = None) -> None:
        super().__init__()
        self.model, self.draws, self.backward = model, draws, backward

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, K): the logarithm of the mean probabilities, up to a constant."""
        if self.draws == 1:
            return self._once(images)
        return torch.stack([self._once(images).log_softmax(1) for _ in range(self.draws)]).logsumexp(0)

    def _once(self, images: Tensor) -> Tensor:
        if self.backward is None or not torch.is_grad_enabled():
            return self.model(images)
        stand_in = self.backward(images)
        with torch.no_grad():
            own = self.model(images)
        return own + (stand_in - stand_in.detach())  # in this order it is `own` to the bit
