"""A plain fully connected classifier."""

from __future__ import annotations

import itertools
import math
from typing import Literal

from torch import nn

from touchstone.contracts import PositiveInt


def mlp(
    input_shape: tuple[int, int, int],
    classes: int,
    *,
    hidden: list[PositiveInt] = [128, 128],  # noqa: B006 - a literal that the registry reads; never written to
    activation: Literal["relu", "softplus"] = "relu",
) -> nn.Module:
    """Return fully connected layers of `hidden` units each, then the logits.

    `softplus` (beta 10) is the smooth replacement of ReLU that attacks with second derivatives need. An empty
    `hidden` is softmax regression.
    """
    sizes = [math.prod(input_shape), *hidden]
    layers: list[nn.Module] = [nn.Flatten()]
    for size, following in itertools.pairwise(sizes):
        layers += [nn.Linear(size, following), nn.ReLU() if activation == "relu" else nn.Softplus(beta=10)]
    return nn.Sequential(*layers, nn.Linear(sizes[-1], classes))
