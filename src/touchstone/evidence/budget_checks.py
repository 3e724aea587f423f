"""Compare attacked images with the images before the attack: their budget, range, rows and labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from touchstone.adversary.budgets import ROUNDING, check_budget
from touchstone.numerics.tensors import row_norms, to_grid_towards
from touchstone.records.nouns import Array, Cell, ExampleSet
from touchstone.statistics.threats import budget


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
    norm, eps = budget(Cell(None, "", attack="attack", settings=settings))
    before = torch.from_numpy(clean.images)
    sets = {"its images": attacked.images, "its float images": attacked.unquantised}
    for what, images in sets.items():
        if images is not None and eps is not None:
            after = torch.from_numpy(images)
            if settings.get("clip", True):
                check_budget(what, before, after, eps, norm)  # type: ignore[arg-type]  # the settings allow only norms
            elif (change := float(row_norms(after - before, norm).max())) > eps + ROUNDING:
                raise ValueError(f"{what} moved by {change:g} ({norm}), more than eps {eps:g}")
    if attacked.unquantised is not None:
        rounded = to_grid_towards(torch.from_numpy(attacked.unquantised), before).numpy()
        if rows := int((np.abs(rounded - attacked.images) > 1e-6).any(axis=(1, 2, 3)).sum()):
            raise ValueError(f"{rows} of its images are not its float images rounded towards the clean ones")
    return eps is not None


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
