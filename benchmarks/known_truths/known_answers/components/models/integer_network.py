"""A small ReLU network with integer weights, whose robustness a mixed-integer program decides exactly."""

from __future__ import annotations

import torch
from torch import nn

# Of the first four pixels of `lattice`; biases are in levels of 1/255, and no point of the lattice has a lead of 0.
FIRST = ((0, 2, -1, -2), (-1, 0, -2, 2), (2, 1, -1, 0), (-2, 0, -2, -2))
FIRST_BIAS = (255, -255, 0, 255)
LEVELS = 255
SECOND, SECOND_BIAS = (-1, -1, 2, 1), -382


def integer_network(input_shape: tuple[int, int, int], classes: int) -> nn.Module:
    """Return logits (-lead, lead), where lead = SECOND . relu(FIRST x + FIRST_BIAS / 255) + SECOND_BIAS / 255.

    Args:
        input_shape: (1, 4, 4).
        classes: 2.
    """
    if classes != 2 or input_shape != (1, 4, 4):
        raise ValueError(f"integer_network needs 2 classes and images of (1, 4, 4), got {classes} and {input_shape}")
    hidden, last = nn.Linear(16, len(FIRST)), nn.Linear(len(FIRST), 2)
    with torch.no_grad():
        hidden.weight.zero_()[:, :4] = torch.tensor(FIRST)
        hidden.bias.copy_(torch.tensor(FIRST_BIAS) / LEVELS)
        last.weight.copy_(torch.tensor([[-weight for weight in SECOND], SECOND]))
        last.bias.copy_(torch.tensor([-SECOND_BIAS, SECOND_BIAS]) / LEVELS)
    return nn.Sequential(nn.Flatten(), hidden, nn.ReLU(), last)
