"""Ensemble training: every member as if it were the only one."""

from __future__ import annotations

from torch import Tensor, nn

from touchstone.attacks.adversary.losses import cross_entropy
from touchstone.numerics.tensors import RandomStreams


def member_wise(model: nn.Sequential, images: Tensor, labels: Tensor, generator: RandomStreams) -> Tensor:
    """Return the sum of the mean cross-entropies of an ensemble's members.

    It is a sum, not a mean, so that each member gets exactly the gradient that it would get on its own.

    Raises:
        ValueError: the network has no members.
    """
    normalise, network = model
    members = getattr(network, "members", None)
    if not isinstance(members, nn.ModuleList):
        raise ValueError("member_wise trains an ensemble, and the network has no members")
    normalised = normalise(images)
    losses = [cross_entropy(member(normalised), labels).mean() for member in members]
    return sum(losses[1:], start=losses[0])
