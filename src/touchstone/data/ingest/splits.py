"""Which rows of a source belong to which part: stratified, disjoint, determined by a seed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np

from touchstone.records.nouns import Array


def stratified_order(labels: Array, seed: int) -> Array:
    """Return all rows in a seeded order in which every run has the classes in proportion, (N,) int64.

    The order comes from SHA-256 of seed and row, not from a random generator. So no new version of numpy can move a
    row from test to train.
    """
    digests = (hashlib.sha256(f"{seed}/{row}".encode()).digest() for row in range(len(labels)))
    keys = np.array([int.from_bytes(digest[:8], "big") for digest in digests], dtype=np.uint64)
    shuffled = np.argsort(keys, kind="stable")
    place = np.empty(len(labels))
    for label in np.unique(labels):
        rows = shuffled[labels[shuffled] == label]
        place[rows] = (np.arange(len(rows)) + 0.5) / len(rows)
    return np.lexsort((keys, place)).astype(np.int64)


def rows_of_part(labels: Array, shares: Mapping[str, int], part: str, *, seed: int, limit: int | None = None) -> Array:
    """Return the rows of one part, ascending.

    Args:
        labels: (N,), classes to stratify by.
        shares: sizes of the parts, in proportion and in order.
        part: a key of `shares`.
        seed: of the split.
        limit: number of rows, stratified again; None: all. The rows of a smaller limit are among those of a larger
            one.

    Raises:
        ValueError: If the part is unknown, or has fewer rows than `limit`.
    """
    if part not in shares:
        raise ValueError(f"part must be one of {', '.join(shares)}, got {part!r}")
    edges = np.cumsum([0, *shares.values()])
    before = list(shares).index(part)
    start, end = (round(int(edge) * len(labels) / int(edges[-1])) for edge in edges[before : before + 2])
    if limit is not None and limit > end - start:
        raise ValueError(f"limit must be at most {end - start}, the rows of {part}, got {limit}")
    return np.sort(stratified_order(labels, seed)[start:end][:limit])
