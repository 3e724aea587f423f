"""Some rows of another set, for what is too dear to do to all of it."""

from __future__ import annotations

import numpy as np

from touchstone.contracts import PositiveInt
from touchstone.example_notes import derived
from touchstone.records import ExampleSet


def subset(examples: ExampleSet, generator: np.random.Generator, *, count: PositiveInt) -> ExampleSet:
    """Return `count` rows of `examples` drawn without replacement, in the order of their ids; labels and ids are kept.

    ValueError where there are fewer. Which rows depends on the seed and the ids, not on the order of the rows.
    """
    if count > len(examples):
        raise ValueError(f"count must be at most {len(examples)}, the number of examples, got {count}")
    order = np.argsort(examples.example_ids)
    examples = examples.take(order[np.sort(generator.permutation(len(order))[:count])])
    return derived(examples, examples.images, "subset")
