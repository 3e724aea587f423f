"""How sure classifiers are of what they see in images that show nothing."""

from __future__ import annotations

import numpy as np

from touchstone.contracts import NonNegativeInt, PositiveInt, UnitInterval
from touchstone.records.metric_rows import MetricRow
from touchstone.records.nouns import Cell
from touchstone.statistics import intervals
from touchstone.statistics.estimators import confidence
from touchstone.statistics.rows import rate_row, row, with_means


def rubbish(
    outputs: list[Cell],
    *,
    own_probabilities: list[str] = [],  # noqa: B006 - a literal that the registry reads; never written to
    threshold: UnitInterval = 0.5,
    resamples: PositiveInt = 1000,
    bootstrap_seed: NonNegativeInt = 0,
) -> list[MetricRow]:
    """Return rows per classifier seed and set of images without a class, attacked or not, and their means over seeds.

    outputs: of each on noise, or on noise made to look like a class (fooling images). Metrics: rubbish_error, the share
    of images whose predicted class is given a probability above `threshold`, of the images as they were drawn or made;
    rubbish_error_in_range, of the same images in [0, 1] on the 1/255 grid, where they differ; rubbish_confidence, the
    mean of that probability over those images; most_frequent_class, the greatest share that one class has of them.
    own_probabilities: as for `robustness`. Shares have exact binomial intervals, the greatest share and the confidence
    bootstrap ones. ValueError for images that have a class. Goodfellow et al. 2015, appendix A; papers.md 4.e.
    """
    rows: list[MetricRow] = []
    for cell in outputs:
        if (cell.noun.labels >= 0).any():
            raise ValueError(f"{cell.file}: {int((cell.noun.labels >= 0).sum())} images have a class: no rubbish")
        by_id = np.argsort(cell.noun.example_ids)  # the interval must not depend on the order of rows
        own, sampling = cell.entry in own_probabilities, {"resamples": resamples, "seed": bootstrap_seed}
        in_range, exact = cell.noun.logits[by_id], cell.noun.unquantised_logits
        logits = in_range if exact is None else exact[by_id]
        sure = confidence(logits, own_probabilities=own)
        taken = sure > threshold
        rows.append(rate_row("rubbish_error", taken, cell))
        if exact is not None:
            quantised = confidence(in_range, own_probabilities=own) > threshold
            rows.append(rate_row("rubbish_error_in_range", quantised, cell))
        if taken.any():
            classes = logits.argmax(axis=1)[taken]
            often = (classes == np.bincount(classes).argmax()).astype(np.float64)
            for metric, values in (("rubbish_confidence", sure[taken]), ("most_frequent_class", often)):
                rows.append(row(metric, intervals.mean(values, **sampling), cell=cell, n=len(values), files=[cell]))
    return with_means(rows)
