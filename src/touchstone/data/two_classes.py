"""Two classes of a set as a problem of their own, such as 3 against 7."""

from __future__ import annotations

import numpy as np

from touchstone.contracts import NonNegativeInt
from touchstone.ingest.example_notes import derived
from touchstone.records.nouns import ExampleSet


def two_classes(examples: ExampleSet, *, negative: NonNegativeInt, positive: NonNegativeInt) -> ExampleSet:
    """Return the rows of two classes, labels 0 for `negative` and 1 for `positive`; ids and images stay.

    The note `relabelled` holds the two classes in the order of their new labels; the source is named
    `<source>/two_classes`. ValueError where the classes are one, or one of them is not in `examples`.
    Goodfellow et al. 2015, section 5: 3 against 7.
    """
    known = sorted(set(examples.labels.tolist()))
    if negative == positive or not {negative, positive} <= set(known):
        raise ValueError(f"negative and positive must be two of {known}, got {negative} and {positive}")
    part = examples.take(np.isin(examples.labels, [negative, positive]))
    labels = (part.labels == positive).astype(np.int64)
    return derived(part, part.images, "two_classes", labels=labels, relabelled=[negative, positive])
