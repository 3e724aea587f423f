"""Fewer rows of a set, with classes in proportion, for what is expensive per image."""

from __future__ import annotations

import numpy as np

from touchstone.contracts import NonNegativeInt, PositiveInt
from touchstone.data.ingest.example_notes import derived
from touchstone.data.ingest.splits import stratified_order
from touchstone.records.nouns import ExampleSet


def subset(
    examples: ExampleSet, *, count: PositiveInt, skip: NonNegativeInt = 0, split_seed: NonNegativeInt = 0
) -> ExampleSet:
    """Return `count` rows, stratified by class, in the order of `examples`.

    Images, labels and ids stay. The rows of a smaller count are among those of a larger one, and none of the first
    `skip` rows of that order is among them: so a second experiment gets images that the first did not see. The source
    is named `<source>/subset`. ValueError if too few rows are left.
    """
    if skip + count > len(examples):
        rows = f"the rows of {examples.source}" + (f" after the first {skip}" if skip else "")
        raise ValueError(f"count must be at most {len(examples) - skip}, {rows}, got {count}")
    part = examples.take(np.sort(stratified_order(examples.labels, split_seed)[skip : skip + count]))
    return derived(part, part.images, "subset")
