"""Error and confidence on attacked images as the attack left them, neither rounded nor clipped to [0, 1]."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from touchstone.contracts import NonNegativeInt, PositiveInt
from touchstone.evaluations.statistics import intervals
from touchstone.evaluations.statistics.estimators import Array, confidence, correct
from touchstone.evaluations.statistics.pairing import partner, require_outputs
from touchstone.evaluations.statistics.rows import clean_outputs, grouped, rate_row, row, rows_of, with_means
from touchstone.evaluations.statistics.seed_intervals import SCORE, SIGNED
from touchstone.evaluations.statistics.threats import white_box
from touchstone.records.metric_tables import MetricRow
from touchstone.records.nouns import Cell

METRICS = (
    "unclipped_error", "unclipped_confidence", "unclipped_confidence_on_errors",
    "unclipped_confidence_on_errors_above_quarter_of_clean", "unclipped_error_minus_*",
)  # fmt: skip


def unclipped_confidence(
    outputs: list[Cell],
    *,
    own_probabilities: list[str] = [],  # noqa: B006 - a literal that the registry reads; never written to
    against: list[str] = [],  # noqa: B006 - a literal that the registry reads; never written to
    resamples: PositiveInt = 1000,
    bootstrap_seed: NonNegativeInt = 0,
) -> list[MetricRow]:
    """Measure error and confidence on attacked images as floats, which need not be in [0, 1].

    `robustness` measures the images of 8 bits that the attack leads to. An attack that does not clip can do more to a
    network that is sure only near its centres.

    Args:
        outputs: of each classifier seed on its clean set and on attacked versions of it.
        own_probabilities: as for `robustness`.
        against: classifiers whose error is subtracted from that of the others.

    Returns:
        Rows per classifier, seed and attacked set, then means over seeds, as fractions. The error has an exact binomial
        interval, the others have bootstrap ones. Metrics:

        - unclipped_error.
        - unclipped_confidence, the mean probability of the predicted class; unclipped_confidence_on_errors, on the wrong
          rows only.
        - unclipped_confidence_on_errors_above_quarter_of_clean: on the wrong rows, that probability minus a quarter of the
          one without attack, paired by image.
        - unclipped_error_minus_CLASSIFIER: unclipped_error minus that of a classifier in `against`, each under the attack on
          itself, paired by image; the same seed, or the only one.

    Raises:
        ValueError: an attacked set has no float images, the clean set of an attacked one is missing, or a classifier in
            `against` has no outputs.

    References:
        Goodfellow et al. 2015, section 7; docs/papers/fgsm.md.
    """
    require_outputs(against, outputs)
    attacked = [cell for cell in outputs if cell.attack and not cell.translator]
    rows: list[MetricRow] = []
    for cell in attacked:
        clean = clean_outputs(outputs, cell)
        rows += _rows(cell, clean, cell.entry in own_probabilities, resamples, bootstrap_seed)
    own = (cell for cell in attacked if white_box(cell))
    for cells in grouped(own, lambda cell: (cell.examples, cell.attack)).values():
        rows += _differences(cells, against, resamples, bootstrap_seed)
    return with_means(rows)


def _rows(cell: Cell, clean: Cell, own: bool, resamples: int, seed: int) -> list[MetricRow]:
    ids = np.sort(cell.noun.example_ids)  # the interval must not depend on the order of rows
    logits, wrong = _exact(cell, ids)
    same = rows_of(clean.noun.example_ids, ids, clean.file)
    sure = confidence(logits, own_probabilities=own)
    sure_when_clean = confidence(clean.noun.logits[same], own_probabilities=own)
    rows = [rate_row("unclipped_error", wrong, cell, ids=ids)]
    counted = {"unclipped_confidence": np.ones(len(ids), dtype=bool), "unclipped_confidence_on_errors": wrong}
    for metric, among in counted.items():
        if among.any():
            mean = intervals.mean(sure, resamples=resamples, seed=seed, method=SCORE, among=among)
            rows.append(row(metric, mean, cell=cell, n=int(among.sum()), files=[cell]))
    if wrong.any():
        kept = intervals.mean(sure - sure_when_clean / 4, resamples=resamples, seed=seed, among=wrong)
        metric = "unclipped_confidence_on_errors_above_quarter_of_clean"
        rows.append(
            row(metric, kept, cell=cell, n=int(wrong.sum()), files=[cell, clean], unit="difference of fractions")
        )
    return rows


def _differences(cells: list[Cell], against: list[str], resamples: int, seed: int) -> Iterator[MetricRow]:
    """Yield the differences in error to the classifiers that are compared with, of one attack on one set."""
    for base in against:
        seeds = {cell.seed: cell for cell in cells if cell.entry == base}
        for cell in (cell for cell in cells if seeds and cell.entry != base):
            if other := partner(seeds, cell.seed):
                ids = np.sort(cell.noun.example_ids)
                first, second = (_exact(one, ids)[1].astype(np.float64) for one in (cell, other))
                mean = intervals.mean(first - second, resamples=resamples, seed=seed, method=SIGNED)
                metric, unit = f"unclipped_error_minus_{base}", "difference of fractions"
                yield row(metric, mean, cell=cell, n=len(ids), files=[cell, other], unit=unit)


def _exact(cell: Cell, ids: Array) -> tuple[Array, Array]:
    """Return the logits of the images before rounding, and which are wrong, in the order of `ids`."""
    if cell.noun.unquantised_logits is None:
        raise ValueError(f"{cell.file} has no logits of the images before rounding")
    same = rows_of(cell.noun.example_ids, ids, cell.file)
    logits = cell.noun.unquantised_logits[same]
    return logits, ~correct(logits.argmax(axis=1), cell.noun.labels[same])
