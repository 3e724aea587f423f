"""Some rows of another set, for what is too dear to do to all of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from touchstone.contracts import PositiveInt
from touchstone.records import ExampleSet


def subset(examples: ExampleSet, generator: np.random.Generator, *, count: PositiveInt) -> ExampleSet:
    """Return `count` rows of `examples` drawn without replacement, in the order of their ids; labels and ids are kept.

    ValueError where there are fewer. Which rows depends on the seed and the ids, not on the order of the rows.
    """
    if count > len(examples):
        raise ValueError(f"count must be at most {len(examples)}, the number of examples, got {count}")
    order = np.argsort(examples.example_ids)
    rows = order[np.sort(generator.permutation(len(order))[:count])]
    return replace(examples.take(rows), source=f"{examples.source}/subset")
