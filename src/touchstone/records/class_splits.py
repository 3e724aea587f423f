"""Random splits of classes into known and unknown ones, the same wherever a split is named by its number."""

from __future__ import annotations

from typing import Literal

import numpy as np

Part = Literal["known", "unknown", "seen", "met"]


def class_order(split: int, classes: int) -> list[int]:
    """Return all classes in the random order of a split.

    Args:
        split: number of the split; it is the seed.
        classes: how many there are.
    """
    return [int(label) for label in np.random.default_rng([split, classes]).permutation(classes)]


def classes_of(part: Part, split: int, classes: int, known: int, seen: int) -> list[int]:
    """Return the classes of one part of a split, in its order.

    Args:
        part: "known" or "unknown" to a network; of the known ones, "seen" by a second network, or only "met" by the
            detector that is trained on it.
        split: number of the split.
        classes: how many there are.
        known: how many are known.
        seen: how many of the known ones are seen.

    Raises:
        ValueError: a part has no class.
    """
    if not 0 < seen < known < classes:
        raise ValueError(f"expected 0 < seen < known < classes, got {seen}, {known} and {classes}")
    order = class_order(split, classes)
    parts = {"known": order[:known], "unknown": order[known:], "seen": order[:seen], "met": order[seen:known]}
    return parts[part]
