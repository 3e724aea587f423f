"""Compare attacked images with the images before the attack: their budget, range, rows and labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from touchstone.attacks.adversary.budgets import check_budgets, farthest
from touchstone.attacks.adversary.defences import Guarded
from touchstone.attacks.adversary.evasion import flat_scores
from touchstone.evaluations.statistics import declared_budgets
from touchstone.numerics import tensors
from touchstone.records.nouns import Array, ExampleSet

FLAT = 0.01  # of the images, and one in any case: on another processor, a gradient that almost vanishes may vanish


def compare(attacked: ExampleSet, clean: ExampleSet, settings: dict[str, Any]) -> bool:
    """Check an attacked set against the clean one.

    Args:
        attacked: What the attack returned; its images were checked to be in [0, 1].
        clean: What it was given.
        settings: Of the attack: use, eps, norm, ...

    Returns:
        Whether the attack declares a budget, so that it could be checked.

    Raises:
        ValueError: Says in which way the attacked set is not one that the attack may return.
    """
    for what in ("example_ids", "labels"):
        check_rows(what, getattr(attacked, what), getattr(clean, what))
    if attacked.source != clean.source:
        raise ValueError(f"its source is {attacked.source!r}, that of the clean images {clean.source!r}")
    levels = attacked.images * 255
    if not np.allclose(levels, np.rint(levels), atol=1e-3):
        raise ValueError("its images are not on the 1/255 grid")
    budgets = declared_budgets.declared(settings)
    before = torch.from_numpy(clean.images)
    sets = {"its images": attacked.images, "its float images": attacked.unquantised}
    for what, images in sets.items():
        if images is not None and budgets:
            after = torch.from_numpy(images)
            if declared_budgets.stays_in_range(settings):
                check_budgets(what, before, after, budgets)
            elif excess := farthest(before, after, budgets):
                raise ValueError(f"{what} {excess}")
    if attacked.unquantised is not None:
        rounded = tensors.to_grid_towards(torch.from_numpy(attacked.unquantised), before).numpy()
        if rows := int((np.abs(rounded - attacked.images) > 1e-6).any(axis=(1, 2, 3)).sum()):
            raise ValueError(f"{rows} of its images are not its float images rounded towards the clean ones")
    return bool(budgets)


def check_flat_share(name: str, attacked: ExampleSet, flat: Tensor) -> None:
    """Check a share of images at which a detector's score has no gradient: claims are judged by them.

    Args:
        name: Of the share, in the notes.
        attacked: What the attack returned, with its notes.
        flat: Which images have no score gradient, (N,) bool.

    Raises:
        ValueError: The share is missing, or is not the one that the detector gives.
    """
    share, stated = float(flat.float().mean()), attacked.notes.get(name)
    allowed = max(FLAT, 1 / max(len(flat), 1)) + 1e-6  # notes are rounded
    if not isinstance(stated, float | int) or not abs(stated - share) <= allowed:
        raise ValueError(f"its note {name} is {stated}, the detector gives {share:.6g}")


def flat_rows(images: Array | None, defence: Guarded, batch_size: int, device: str) -> Tensor:
    """Return which images have no score gradient at all, (N,) bool.

    Args:
        images: The images.
        defence: The network behind the detector.
        batch_size: Images at a time.
        device: Where the network runs.

    Raises:
        ValueError: There are no images.
    """
    if images is None:
        raise ValueError("its float images are missing")
    points = torch.from_numpy(images).to(device)
    return torch.cat([flat_scores(defence, batch) for (batch,) in tensors.batches(batch_size, points)])


def check_rows(what: str, stated: Array, expected: Array) -> None:
    """Check that two arrays of one value per row are equal.

    Args:
        what: Their name, for the message.
        stated: As the evidence states them.
        expected: As they have to be.

    Raises:
        ValueError: Says how many rows differ, and the first.
    """
    if stated.shape != expected.shape:
        raise ValueError(f"its {what} have {len(stated)} rows, expected {len(expected)}")
    if len(rows := np.flatnonzero(stated != expected)):
        first = rows[0]
        raise ValueError(
            f"{len(rows)} of its {what} differ; row {first} has {stated[first]}, expected {expected[first]}"
        )
