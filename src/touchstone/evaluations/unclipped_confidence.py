"""Error and confidence on attacked images as the attack left them, neither rounded nor clipped to [0, 1]."""

from __future__ import annotations

import numpy as np

from touchstone.contracts import NonNegativeInt, PositiveInt
from touchstone.evaluations.statistics import intervals
from touchstone.evaluations.statistics.estimators import confidence, correct
from touchstone.evaluations.statistics.rows import clean_outputs, rate_row, row, rows_of, with_means
from touchstone.evaluations.statistics.seed_intervals import SCORE
from touchstone.records.metric_tables import MetricRow
from touchstone.records.nouns import Cell

METRICS = (
    "unclipped_error", "unclipped_confidence", "unclipped_confidence_on_errors",
    "unclipped_confidence_above_quarter_of_clean",
)  # fmt: skip


def unclipped_confidence(
    outputs: list[Cell],
    *,
    own_probabilities: list[str] = [],  # noqa: B006 - a literal that the registry reads; never written to
    resamples: PositiveInt = 1000,
    bootstrap_seed: NonNegativeInt = 0,
) -> list[MetricRow]:
    """Measure error and confidence on attacked images as floats, which need not be in [0, 1].

    `robustness` measures the images of 8 bits that the attack leads to. An attack that does not clip can do more to a
    network that is sure only near its centres.

    Args:
        outputs: of each classifier seed on its clean set and on attacked versions of it.
        own_probabilities: as for `robustness`.

    Returns:
        Rows per classifier, seed and attacked set, then means over seeds, as fractions. The error has an exact binomial
        interval, the others have bootstrap ones. Metrics:

        - unclipped_error.
        - unclipped_confidence, the mean probability of the predicted class; unclipped_confidence_on_errors, on the wrong
          rows only.
        - unclipped_confidence_above_quarter_of_clean: that probability minus a quarter of the one without attack, paired
          by image.

    Raises:
        ValueError: an attacked set has no float images, or the clean set of an attacked one is missing.

    References:
        Goodfellow et al. 2015, section 7; docs/papers/fgsm.md.
    """
    rows: list[MetricRow] = []
    for cell in outputs:
        if cell.attack and not cell.translator:
            clean = clean_outputs(outputs, cell)
            rows += _rows(cell, clean, cell.entry in own_probabilities, resamples, bootstrap_seed)
    return with_means(rows)


def _rows(cell: Cell, clean: Cell, own: bool, resamples: int, seed: int) -> list[MetricRow]:
    if cell.noun.unquantised_logits is None:
        raise ValueError(f"{cell.file} has no logits of the images before rounding")
    order = np.argsort(cell.noun.example_ids)  # the interval must not depend on the order of rows
    ids, logits = cell.noun.example_ids[order], cell.noun.unquantised_logits[order]
    wrong = ~correct(logits.argmax(axis=1), cell.noun.labels[order])
    same = rows_of(clean.noun.example_ids, ids, clean.file)
    sure = confidence(logits, own_probabilities=own)
    sure_when_clean = confidence(clean.noun.logits[same], own_probabilities=own)
    rows = [rate_row("unclipped_error", wrong, cell, ids=ids)]
    counted = {"unclipped_confidence": np.ones(len(ids), dtype=bool), "unclipped_confidence_on_errors": wrong}
    for metric, among in counted.items():
        if among.any():
            mean = intervals.mean(sure, resamples=resamples, seed=seed, method=SCORE, among=among)
            rows.append(row(metric, mean, cell=cell, n=int(among.sum()), files=[cell]))
    kept = intervals.mean(sure - sure_when_clean / 4, resamples=resamples, seed=seed)
    metric = "unclipped_confidence_above_quarter_of_clean"
    return [*rows, row(metric, kept, cell=cell, n=len(ids), files=[cell, clean], unit="")]
