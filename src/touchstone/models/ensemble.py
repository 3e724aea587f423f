"""Several networks of one architecture that vote with their probabilities."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from touchstone.contracts import Architecture, PositiveInt


def ensemble(
    input_shape: tuple[int, int, int], classes: int, *, member: Architecture, members: PositiveInt = 5
) -> nn.Module:
    """Return log of the mean over `members` networks of softmax(logits): normalised log-probabilities, as logits.

    The members differ in their initial weights; `member_wise` trains each as if it were alone, and the first one then
    equals the network that its architecture gives under the same seed. Averaging probabilities is our reading of
    Goodfellow et al. 2015, section 9 (papers.md 4.g item 6).
    """
    return _Ensemble([member(input_shape, classes) for _ in range(members)])


class _Ensemble(nn.Module):
    def __init__(self, members: list[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, images: Tensor) -> Tensor:
        log_probabilities = torch.stack([member(images).log_softmax(1) for member in self.members])
        return log_probabilities.logsumexp(0) - math.log(len(self.members))
