"""Whether a detector scores each image by itself. If not, a threshold from held-out images means nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from touchstone.numerics.precision import float32_rounding
from touchstone.records.nouns import ContractError
from touchstone.records.selection import select_rows

ALONE = 4  # rows that are scored again, each by itself
TOLERANCE = (
    0.01  # of the spread of a set's scores; or what rounding may change, because a batch of another size is summed
)


def check_independent_rows(
    name: str,
    score: Callable[[Any, Any], Any],
    outputs: Any,
    examples: Any,
    scores: np.ndarray[Any, Any],
    read: Iterable[Any] | None = None,
) -> None:
    """Score the first rows of a set one by one, and compare.

    Args:
        name: the name of the detector, for the message.
        score: returns the Scores of Outputs and an ExampleSet, either of which may be None.
        outputs: the Outputs that were scored.
        examples: the ExampleSet that was scored.
        scores: (N,), of all rows together.
        read: what the scores are computed from, arrays or tensors; None for the logits and the images.

    Raises:
        ValueError: the detector scores an image differently if it is alone.
    """
    count = min(ALONE, len(scores))
    if len(scores) < 2:
        return
    try:
        alone = np.concatenate(
            [
                score(*(None if noun is None else select_rows(noun, [place]) for noun in (outputs, examples))).scores
                for place in range(count)
            ]
        )
    except ContractError:  # one row has no finite score
        alone = np.full(count, np.nan)
    if read is None:
        read = ([] if outputs is None else [outputs.logits]) + ([] if examples is None else [examples.images])
    allowed = max(TOLERANCE * float(scores.std()), float32_rounding(scores, *read))
    if not np.abs(alone - scores[:count]).mean() <= allowed:
        raise ValueError(
            f"{name} scores an image differently if it is alone: {alone.tolist()} instead of"
            f" {scores[:count].tolist()}; let each score depend on one image and on what was fitted, and draw nothing"
        )
