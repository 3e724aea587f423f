"""Two classes of a set as a problem of their own, such as 3 against 7."""

from __future__ import annotations

import numpy as np

from touchstone.contracts import NonNegativeInt
from touchstone.data.ingest.example_notes import derived
from touchstone.records.nouns import ExampleSet


def two_classes(examples: ExampleSet, *, negative: NonNegativeInt, positive: NonNegativeInt) -> ExampleSet:
    """Return the rows of two classes, labelled 0 (`negative`) and 1 (`positive`).

    Ids and images stay. The note `relabelled` holds the two classes in the order of their new labels. The source is
    named `<source>/two_classes`. ValueError if both classes are the same, or if one is not in `examples`.

    References:
        Goodfellow et al. 2015, section 5: 3 against 7.
    """
    classes = sorted(set(examples.labels.tolist()))
    if negative == positive or not {negative, positive} <= set(classes):
        raise ValueError(f"negative and positive must be two of {classes}, got {negative} and {positive}")
    part = examples.take(np.isin(examples.labels, [negative, positive]))
    labels = (part.labels == positive).astype(np.int64)
    return derived(part, part.images, "two_classes", labels=labels, relabelled=[negative, positive])
