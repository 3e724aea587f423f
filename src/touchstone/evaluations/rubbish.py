"""How sure classifiers are about images that show nothing."""

from __future__ import annotations

import numpy as np

from touchstone.contracts import NonNegativeInt, PositiveInt, UnitInterval
from touchstone.evaluations.statistics import intervals
from touchstone.evaluations.statistics.estimators import Array, confidence
from touchstone.evaluations.statistics.rows import rate_row, row, with_means
from touchstone.evaluations.statistics.seed_intervals import SCORE
from touchstone.records.metric_tables import MetricRow
from touchstone.records.nouns import Cell

METRICS = ("rubbish_error", "rubbish_error_in_range", "rubbish_confidence", "most_frequent_class")


def rubbish(
    outputs: list[Cell],
    *,
    own_probabilities: list[str] = [],  # noqa: B006 - a literal that the registry reads; never written to
    threshold: UnitInterval = 0.5,
    resamples: PositiveInt = 1000,
    bootstrap_seed: NonNegativeInt = 0,
) -> list[MetricRow]:
    """Measure how often and how surely classifiers see a class in images without one.

    Args:
        outputs: of each classifier on noise, or on noise made to look like a class (fooling images).
        own_probabilities: as for `robustness`.
        threshold: the probability above which a class counts as seen.

    Returns:
        Rows per classifier seed and set, then means over seeds. Shares have exact binomial intervals; the last two
        metrics have bootstrap ones. Metrics:

        - rubbish_error: the share of images, as drawn or made, whose predicted class has a probability above
          `threshold`.
        - rubbish_error_in_range: the same for these images in [0, 1] on the 1/255 grid, if they differ.
        - rubbish_confidence: the mean of that probability over the images counted.
        - most_frequent_class: the largest share of them that one class has.

    Raises:
        ValueError: images have a class.

    References:
        Goodfellow et al. 2015, appendix A; docs/papers/fgsm.md.
    """
    rows: list[MetricRow] = []
    for cell in outputs:
        if (cell.noun.labels >= 0).any():
            raise ValueError(f"{cell.file}: {int((cell.noun.labels >= 0).sum())} images have a class: no rubbish")
        by_id = np.argsort(cell.noun.example_ids)  # the interval must not depend on the order of rows
        ids = cell.noun.example_ids[by_id]
        logits = _as_drawn(cell)
        sure = confidence(logits, own_probabilities=cell.entry in own_probabilities)
        taken = sure > threshold
        rows.append(rate_row("rubbish_error", taken, cell, ids=ids))
        if cell.noun.unquantised_logits is not None:
            in_range = confidence(cell.noun.logits[by_id], own_probabilities=cell.entry in own_probabilities)
            quantised = in_range > threshold
            rows.append(rate_row("rubbish_error_in_range", quantised, cell, ids=ids))
        if taken.any():
            classes = logits.argmax(axis=1)
            often = (classes == np.bincount(classes[taken]).argmax()).astype(np.float64)
            for metric, values in (("rubbish_confidence", sure), ("most_frequent_class", often)):
                mean = intervals.mean(values, resamples=resamples, seed=bootstrap_seed, method=SCORE, among=taken)
                rows.append(row(metric, mean, cell=cell, n=int(taken.sum()), files=[cell]))
    return with_means(rows)


def _as_drawn(cell: Cell) -> Array:
    """Return the logits of the images as drawn or made, in the order of their ids."""
    exact = cell.noun.unquantised_logits
    logits = cell.noun.logits if exact is None else exact
    return np.asarray(logits[np.argsort(cell.noun.example_ids)])
