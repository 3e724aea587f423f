"""The checks of `evaluate`: which of them failed, and whether a loss rose."""

from __future__ import annotations

import torch
from torch import Tensor

from touchstone.evaluations.statistics.sanity_checks import CHECKS


def log_odds(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the log odds that the label is wrong, per row: they rise exactly if the cross-entropy rises.

    The cross-entropy itself rounds to 0 in floats if the label leads by more than about 100.
    """
    logits = logits.double()
    others = logits.scatter(1, labels[:, None], -torch.inf)
    return others.logsumexp(1) - logits.gather(1, labels[:, None])[:, 0]


def failed(shares: dict[str, float], noise: float) -> tuple[str, ...]:
    """Return the checks that failed, in words; `noise` is what draws of the model may add to a value."""
    values = {
        "left_at_large_eps": shares["large_eps"],
        "worse_than_single_step": shares["white_box"] - shares["single_step"],
        "worse_than_noise": shares["white_box"] - shares["noise"],
        "worse_than_black_box": shares["white_box"] - shares["black_box"],
        "loss_rises": shares["loss_rises"],
    }
    allowed = {name: 0.0 if name == "left_at_large_eps" else noise for name in values}
    return tuple(
        f"{CHECKS[name].in_words(value)}, asked {CHECKS[name].asked}"
        for name, value in values.items()
        if not CHECKS[name].passed(value, allowed[name])
    )
