"""Whether the rows of an array, or their order, equal the recomputed ones within what another processor changes."""

from __future__ import annotations

import numpy as np

from touchstone.numerics.precision import EPSILON
from touchstone.records.nouns import Array

STEPS = 2048  # of float32 at the largest value of a row: what the layers of a network add up to
DECIDED, FEWEST = 0.01, 2  # rows that rounding may put on the other side of a value: a share, and a number in any case
SATURATED = 8  # steps of float32 between two scores that its rounding may exchange


def compare_arrays(
    what: str,
    stated: Array,
    computed: Array | None,
    share: float = STEPS * EPSILON,
    besides: Array | float = 0.0,
) -> None:
    """Check that no value moved by more than a share of the largest value of its own row.

    A row whose values almost cancel rounds as the row in the middle does, because it was computed from as large numbers.

    Args:
        what: The name of the array.
        stated: One entry, of any shape, per row. A stated NaN is never close.
        computed: Likewise.
        share: By default, some steps of float32.
        besides: By how much more each value may move, (N, D).

    Raises:
        ValueError: Names the first row that differs, and how many do.
    """
    if computed is None or stated.shape != computed.shape:
        raise ValueError(f"its {what} have the shape {stated.shape}, recomputed {getattr(computed, 'shape', None)}")
    if not stated.size or np.array_equal(stated, computed):
        return
    first, second = (values.reshape(len(values), -1).astype(np.float64) for values in (stated, computed))
    own = np.abs(second).max(axis=1)
    size = np.maximum(own, np.median(own))
    moved = (np.abs(first - second) - besides).max(axis=1)
    differs = ~(moved <= share * size)
    if differs.any():
        row = int(differs.argmax())
        by = moved[row] / max(size[row], np.finfo(np.float64).tiny)
        raise ValueError(
            f"its {what} are not what is computed here: {differs.sum()} of {len(moved)} rows differ, row {row} by"
            f" {by:.2g} of its largest value"
        )


def check_order(what: str, stated: Array, computed: Array, decided: float = DECIDED) -> bool:
    """Check that no share of rows above a value, whatever the value is, moved by more than rounding can move it.

    Many rows may be within rounding of each other or of a threshold. A forger could shift them all, and so change a flagged
    share or an AUROC, although each single row stays close.

    Returns:
        Whether that was so; not if only the last steps of float32 tell the rows apart, so that neither is shown.

    Raises:
        ValueError: Says how many rows are on the other side of some value, by more than these steps.
    """
    most = _most_decided(len(stated), decided)
    if _on_the_other_side(stated, computed, 0) <= most:
        return True
    words = f"its {what} lie on the other side of one value"
    check_decisions(words, _on_the_other_side(stated, computed, SATURATED * EPSILON), len(stated), decided)
    return False


def _on_the_other_side(stated: Array, computed: Array, share: float) -> int:
    """Return how many rows at most are above some value in one array and not in the other, by a share of that value."""
    first, second = np.sort(stated), np.sort(computed)
    values = np.concatenate([first, second])
    apart = share * np.abs(values)
    below = np.searchsorted(second, values, side="right")
    fewest, most = (np.searchsorted(first, values + by, side="right") for by in (-apart, apart))
    return int(max((fewest - below).max(), (below - most).max()))


def _most_decided(rows: int, decided: float) -> int:
    return max(FEWEST, int(decided * rows))


def check_decisions(words: str, moved: int, rows: int, decided: float = DECIDED) -> None:
    """Raise ValueError if more rows than rounding decides came out otherwise; it begins with these words."""
    if moved > (most := _most_decided(rows, decided)):
        raise ValueError(f"{words} in {moved} of {rows} rows; rounding decides {most} at most")
