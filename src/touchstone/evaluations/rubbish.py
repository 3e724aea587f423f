"""How sure classifiers are about images that show nothing."""

from __future__ import annotations

import numpy as np

from touchstone.contracts import NonNegativeInt, PositiveInt, UnitInterval
from touchstone.records.metric_tables import MetricRow
from touchstone.records.nouns import Cell
from touchstone.statistics import intervals
from touchstone.statistics.crossed import SCORE
from touchstone.statistics.estimators import confidence
from touchstone.statistics.rows import rate_row, row, with_means

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
        own = cell.entry in own_probabilities
        in_range, exact = cell.noun.logits[by_id], cell.noun.unquantised_logits
        logits = in_range if exact is None else exact[by_id]
        sure = confidence(logits, own_probabilities=own)
        taken = sure > threshold
        rows.append(rate_row("rubbish_error", taken, cell, ids=ids))
        if exact is not None:
            quantised = confidence(in_range, own_probabilities=own) > threshold
            rows.append(rate_row("rubbish_error_in_range", quantised, cell, ids=ids))
        if taken.any():
            classes = logits.argmax(axis=1)
            often = (classes == np.bincount(classes[taken]).argmax()).astype(np.float64)
            for metric, values in (("rubbish_confidence", sure), ("most_frequent_class", often)):
                mean = intervals.mean(values, resamples=resamples, seed=bootstrap_seed, method=SCORE, among=taken)
                rows.append(row(metric, mean, cell=cell, n=int(taken.sum()), files=[cell]))
    return with_means(rows)
