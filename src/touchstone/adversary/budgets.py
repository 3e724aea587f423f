"""Whether an attacked image stays within what its attacker may change."""

from __future__ import annotations

import torch
from torch import Tensor

from touchstone.adversary.perturbations import Norm
from touchstone.numerics.tensors import row_norms

ROUNDING = 1e-5  # of float32 pixels


def check_budget(attack: str, images: Tensor, attacked: Tensor, eps: float, norm: Norm = "linf") -> None:
    """Check that attacked images are finite, in [0, 1], and within `eps` of the image of the same row.

    Args:
        attack: its name, for the message.
        images: (N, C, H, W) in [0, 1].
        attacked: (N, C, H, W).
        eps: radius in pixel units of `norm`.
        norm: of the change.

    Raises:
        ValueError: names the attack and what it did.
    """
    if attacked.shape != images.shape:
        raise ValueError(f"{attack} changed the shape from {tuple(images.shape)} to {tuple(attacked.shape)}")
    if not bool(torch.isfinite(attacked).all()):
        raise ValueError(f"{attack} returned NaN or infinity")
    if attacked.numel() and (float(attacked.min()) < -ROUNDING or float(attacked.max()) > 1 + ROUNDING):
        low, high = float(attacked.min()), float(attacked.max())
        raise ValueError(f"{attack} left the pixel range [0, 1]: its pixels are in [{low:g}, {high:g}]")
    changes = row_norms(attacked.double() - images.double(), norm)
    if len(changes) and float(changes.max()) > eps + ROUNDING:
        row = int(changes.argmax())
        raise ValueError(
            f"{attack} changed row {row} by {float(changes[row]):g} ({norm}), more than eps {eps:g}; robust accuracy counts"
            " only images within eps"
        )
