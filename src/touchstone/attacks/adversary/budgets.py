"""Whether an attacked image stays within what its attacker may change."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from touchstone.attacks.adversary.perturbations import Norm
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
    check_budgets(attack, images, attacked, [(norm, eps)])


def check_budgets(attack: str, images: Tensor, attacked: Tensor, budgets: Iterable[tuple[str, float]]) -> None:
    """Check that attacked images are finite, in [0, 1], and within at least one of several budgets.

    Args:
        attack: its name, for the message.
        images: (N, C, H, W) in [0, 1].
        attacked: (N, C, H, W).
        budgets: norm and radius in pixel units of each; at least one.

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
    if excess := farthest(images, attacked, budgets):
        raise ValueError(f"{attack} {excess}; robust accuracy counts only images within eps")


def farthest(images: Tensor, attacked: Tensor, budgets: Iterable[tuple[str, float]]) -> str:
    """Return which row leaves all of several budgets by most, in words: "changed row 3 by 0.5 (linf), more than eps 0.1".

    Args:
        images: (N, C, H, W).
        attacked: (N, C, H, W).
        budgets: norm and radius in pixel units of each; at least one.

    Returns:
        "" if each row is within at least one of the budgets.
    """
    budgets, moved = list(budgets), attacked.double() - images.double()
    changes = torch.stack([row_norms(moved, norm) for norm, _ in budgets])  # (B, N)
    excesses = (changes - changes.new_tensor([[eps] for _, eps in budgets])).amin(0)
    if len(excesses) == 0 or float(excesses.max()) <= ROUNDING:
        return ""
    row = int(excesses.argmax())
    sizes = " and ".join(f"{float(size):g} ({norm})" for size, (norm, _) in zip(changes[:, row], budgets, strict=True))
    return f"changed row {row} by {sizes}, more than eps {' and '.join(f'{eps:g}' for _, eps in budgets)}"
