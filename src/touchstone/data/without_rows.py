"""A set without some of its rows, such as images that another set also has."""

from __future__ import annotations

import numpy as np

from touchstone.data.ingest.example_notes import derived
from touchstone.records.nouns import ExampleSet


def without_rows(examples: ExampleSet, *, rows: list[int]) -> ExampleSet:
    """Return the images whose example_ids are not among `rows`.

    Images, labels and ids stay. The source is named `<source>/without_rows`. ValueError if a row is not in
    `examples`, or if no row is left.
    """
    missing = sorted(set(rows) - set(examples.example_ids.tolist()))
    if missing:
        raise ValueError(f"rows must be example_ids of {examples.source}, and {missing[0]} is not one")
    kept = ~np.isin(examples.example_ids, rows)
    if not kept.any():
        raise ValueError(f"rows are all {len(examples)} of {examples.source}: nothing is left")
    part = examples.take(kept)
    return derived(part, part.images, "without_rows", left_out=sorted(rows))
