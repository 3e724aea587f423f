"""Fewer rows of a set, with classes in proportion, for what is expensive per image."""

from __future__ import annotations

import numpy as np

from touchstone.contracts import NonNegativeInt, PositiveInt
from touchstone.ingest.example_notes import derived
from touchstone.ingest.splits import stratified_order
from touchstone.records.nouns import ExampleSet


def subset(examples: ExampleSet, *, count: PositiveInt, split_seed: NonNegativeInt = 0) -> ExampleSet:
    """Return `count` rows, stratified by class, in the order of `examples`.

    Images, labels and ids stay. The rows of a smaller count are among those of a larger one. The source is named
    `<source>/subset`. ValueError if there are fewer rows than `count`.
    """
    if count > len(examples):
        raise ValueError(f"count must be at most {len(examples)}, the rows of {examples.source}, got {count}")
    part = examples.take(np.sort(stratified_order(examples.labels, split_seed)[:count]))
    return derived(part, part.images, "subset")
