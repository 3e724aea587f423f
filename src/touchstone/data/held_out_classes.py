"""Some classes of a set, or all others: near out-of-distribution sets and what is left to train on."""

from __future__ import annotations

import numpy as np

from touchstone.ingest.example_notes import derived
from touchstone.records.nouns import ExampleSet


def held_out_classes(examples: ExampleSet, *, classes: list[int], keep: bool) -> ExampleSet:
    """Return the rows whose label is among `classes` (`keep` true) or is not (`keep` false); ids and labels stay.

    The source is named `<source>/held_out_classes` or `<source>/other_classes`. ValueError where a class is not in
    `examples`, or where no row is left.
    """
    missing = sorted(set(classes) - set(examples.labels.tolist()))
    if missing or not classes:
        raise ValueError(f"classes must be some of {sorted(set(examples.labels.tolist()))}, got {classes}")
    rows = np.isin(examples.labels, classes) == keep
    if not rows.any():
        raise ValueError(f"classes {classes} are all there are: nothing is left")
    part = examples.take(rows)
    return derived(part, part.images, "held_out_classes" if keep else "other_classes", classes=classes)
