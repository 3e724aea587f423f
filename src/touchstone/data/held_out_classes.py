"""Some classes of a set, or all others: near out-of-distribution sets, and what remains to train on."""

from __future__ import annotations

import numpy as np

from touchstone.data.ingest.example_notes import derived
from touchstone.records.nouns import ExampleSet


def held_out_classes(examples: ExampleSet, *, classes: list[int], keep: bool) -> ExampleSet:
    """Return the rows of some classes, or all others.

    Ids and labels stay. The source is named `<source>/held_out_classes` or `<source>/other_classes`.

    Args:
        examples: to choose from.
        classes: labels.
        keep: True for the rows of these classes, False for all others.

    Raises:
        ValueError: If a class is not in `examples`, or if no row is left.
    """
    missing = sorted(set(classes) - set(examples.labels.tolist()))
    if missing or not classes:
        raise ValueError(f"classes must be some of {sorted(set(examples.labels.tolist()))}, got {classes}")
    rows = np.isin(examples.labels, classes) == keep
    if not rows.any():
        raise ValueError(f"classes {classes} are all classes of {examples.source}: nothing is left")
    part = examples.take(rows)
    return derived(part, part.images, "held_out_classes" if keep else "other_classes", classes=classes)
