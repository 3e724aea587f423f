"""The penultimate features of a network that somebody else wrote, if its last linear layer makes the logits."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from touchstone.models.networks import checkpoints
from touchstone.numerics.precision import float32_rounding


def features_of(model: nn.Module, images: Tensor, logits: Tensor) -> Tensor:
    """Return the input of the last linear layer, (N, D).

    Args:
        model: images to logits.
        images: (N, C, H, W).
        logits: what the model returns for them, (N, K).

    Raises:
        ValueError: the network has no linear layer, or the last one in module order does not make the logits.
    """
    passed: list[tuple[Tensor, Tensor]] = []
    hook = checkpoints.penultimate(model).register_forward_hook(
        lambda _, inputs, output: passed.append((inputs[0], output))
    )
    try:
        with torch.no_grad():
            model(images)
    finally:
        hook.remove()
    if passed:
        features, output = passed[-1]
        same_shape = features.dim() == 2 and output.shape == logits.shape
        if same_shape and float((output - logits).abs().max()) <= float32_rounding(logits):
            return features
    raise ValueError("its last linear layer does not make the logits")
