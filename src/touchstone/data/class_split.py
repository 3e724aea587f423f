"""The rows of one part of a random split of the classes: known, unknown, seen or met."""

from __future__ import annotations

from typing import Literal

import numpy as np

from touchstone.contracts import NonNegativeInt, PositiveInt
from touchstone.data.ingest.example_notes import NO_CLASS, derived
from touchstone.records.class_splits import classes_of
from touchstone.records.nouns import ExampleSet


def class_split(
    examples: ExampleSet,
    *,
    split: NonNegativeInt,
    part: Literal["known", "unknown", "seen", "met"],
    known: PositiveInt = 6,
    seen: PositiveInt = 4,
) -> ExampleSet:
    """Return the rows of one part of a random split of the classes, labelled from 0.

    Ids stay. Seen classes have the first labels, those that are only met the next ones, so a network has as many
    outputs as it knows classes. Rows of unknown classes have label -1. The source is named `<source>/<part>_<split>`.

    Args:
        examples: labelled; it has every class from 0 on.
        split: number of the split, which is the seed of the order of classes.
        part: known or unknown to a network; of the known classes, those seen by a second network, or only met by the
            detector that is trained on it.
        known: how many classes are known.
        seen: how many of the known classes are seen.

    Raises:
        ValueError: If a class has no rows, or a part no class.

    References:
        Lee and AlRegib, "Open-set recognition with gradient-based representations".
    """
    count = int(examples.labels.max()) + 1
    if missing := sorted(set(range(count)) - set(examples.labels.tolist())):
        raise ValueError(f"{examples.source} has no rows of class {missing[0]}, so its classes cannot be split")
    labels, learned = (classes_of(name, split, count, known, seen) for name in (part, "known"))
    places = np.full(count, NO_CLASS, dtype=np.int64)
    places[learned] = np.arange(known)
    rows = examples.take(np.isin(examples.labels, labels))
    return derived(rows, rows.images, f"{part}_{split}", labels=places[rows.labels], classes=labels, relabelled=learned)
