"""What each statistic means: one definition over counts of distinct scores, for point estimates and resamples.

Higher scores are always more anomalous; the positive class of AUROC is anomalous. See docs/papers/shared.md, "Scores
and metrics".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

Array = NDArray[Any]


def smallest_integers(id_rows: int, ood_rows: int) -> type[np.signedinteger[Any]]:
    """Return the integers that hold every product in a statistic of so many rows; smaller ones are faster."""
    return np.int32 if max(2 * id_rows * ood_rows, 20 * id_rows, 20 * ood_rows) < 2**31 else np.int64


@dataclass(frozen=True)
class Counts:
    """How often each distinct score occurs, scores ascending: (R, M) integers, one row per (re)sample of the data.

    The integers are at least `smallest_integers`.
    """

    id: Array
    ood: Array

    @cached_property
    def id_to(self) -> Array:
        """In-distribution rows at or below each score: accepted by that threshold."""
        return self.id.cumsum(axis=1, dtype=self.id.dtype)

    @cached_property
    def ood_to(self) -> Array:
        """Anomalous rows at or below each score: wrongly accepted by that threshold."""
        return self.ood.cumsum(axis=1, dtype=self.ood.dtype)

    @cached_property
    def id_from(self) -> Array:
        """In-distribution rows at or above each score: wrongly flagged."""
        return self.id_to[:, -1:] - self.id_to + self.id

    @cached_property
    def ood_from(self) -> Array:
        """Anomalous rows at or above each score: flagged."""
        return self.ood_to[:, -1:] - self.ood_to + self.ood

    @property
    def id_total(self) -> Array:
        """In-distribution rows per sample, (R,)."""
        return self.id_to[:, -1]

    @property
    def ood_total(self) -> Array:
        """Anomalous rows per sample, (R,)."""
        return self.ood_to[:, -1]


def _auroc(counts: Counts) -> Array:
    """Return the probability that an anomalous row scores above an ID row; ties count half, 0.5 is chance."""
    # Twice the Mann-Whitney count, in integers: exact, and ties weigh a half.
    pairs = (counts.ood * (2 * counts.id_to - counts.id)).sum(axis=1)
    return np.asarray(pairs / (2 * counts.id_total * counts.ood_total))


def _aupr_ood(counts: Counts) -> Array:
    """Return the step-wise average precision of flagging anomalous rows; chance is their share of all rows."""
    flagged = np.maximum(counts.ood_from + counts.id_from, 1)
    return np.asarray((counts.ood * (counts.ood_from / flagged)).sum(axis=1) / counts.ood_total)


def _aupr_id(counts: Counts) -> Array:
    """Return the step-wise average precision of accepting ID rows; chance is their share of all rows."""
    accepted = np.maximum(counts.id_to + counts.ood_to, 1)
    return np.asarray((counts.id * (counts.id_to / accepted)).sum(axis=1) / counts.id_total)


def _at(values: Array, columns: Array) -> Array:
    return np.take_along_axis(values, columns[:, None], axis=1)[:, 0]


def _fpr95_id(counts: Counts) -> Array:
    """Return the share of anomalous rows accepted by the strictest threshold that accepts 95 % of the ID rows."""
    # 0.95 as 19/20 in integers: no rounding decides which threshold is taken.
    too_strict = 20 * counts.id_to < 19 * counts.id_total[:, None]
    return _at(counts.ood_to, too_strict.sum(axis=1)) / counts.ood_total


def _fpr95_ood(counts: Counts) -> Array:
    """Return the share of ID rows flagged by the highest threshold that catches 95 % of the anomalous rows."""
    catches = 20 * counts.ood_from >= 19 * counts.ood_total[:, None]
    return _at(counts.id_from, catches.sum(axis=1) - 1) / counts.id_total


def _detection_error(counts: Counts) -> Array:
    """Return the least mean of both error rates over all thresholds, in [0, 0.5].

    That is the definition of the papers, whose threshold is the best on the scores themselves. So it lies below the error
    at the best threshold of all images: with 200 scores a side by .03 at an AUROC of .5 and by .01 at .92; with 1,000 by
    less than half of it.
    """
    caught = counts.ood_from / counts.ood_total[:, None]
    flagged = counts.id_from / counts.id_total[:, None]
    return np.asarray((1 - (caught - flagged).max(axis=1)) / 2)


STATISTICS: dict[str, Callable[[Counts], Array]] = {
    "auroc": _auroc,
    "aupr_ood": _aupr_ood,
    "aupr_id": _aupr_id,
    "fpr95_id": _fpr95_id,
    "fpr95_ood": _fpr95_ood,
    "detection_error": _detection_error,
}


def checked(values: Array, what: str) -> Array:
    """Return `values` as float64 (N,).

    Raises:
        ValueError: they are empty, are not one column, or contain NaN; the message begins with `what`.
    """
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 1:
        raise ValueError(f"{what} have shape {values.shape}, expected (N,)")
    if len(values) == 0:
        raise ValueError(f"{what}: no rows, so nothing can be measured")
    if np.isnan(values).any():
        raise ValueError(f"{what}: {int(np.isnan(values).sum())} of {len(values)} rows are NaN")
    return values


def ranks(id_scores: Array, ood_scores: Array) -> tuple[Array, Array, int]:
    """Return the index of each ID score and of each anomalous score among the M distinct scores, and M."""
    id_scores, ood_scores = checked(id_scores, "id_scores"), checked(ood_scores, "ood_scores")
    distinct, places = np.unique(np.concatenate([id_scores, ood_scores]), return_inverse=True)
    return places[: len(id_scores)], places[len(id_scores) :], len(distinct)


def point(statistic: str, id_scores: Array, ood_scores: Array) -> float:
    """Return one of STATISTICS of ID scores (N,) and anomalous scores (M,)."""
    id_ranks, ood_ranks, distinct = ranks(id_scores, ood_scores)
    counts = Counts(*(np.bincount(places, minlength=distinct)[None] for places in (id_ranks, ood_ranks)))
    return float(STATISTICS[statistic](counts)[0])


def roc(id_scores: Array, ood_scores: Array) -> tuple[Array, Array]:
    """Return the shares of ID and of anomalous rows at or above each distinct score, from none to all."""
    thresholds = np.unique(np.concatenate([id_scores, ood_scores]))[::-1]
    shares = [
        np.r_[0.0, 1 - np.searchsorted(np.sort(scores), thresholds, side="left") / len(scores)]
        for scores in (id_scores, ood_scores)
    ]
    return shares[0], shares[1]


def accuracy(predictions: Array, labels: Array) -> float:
    """Return the share of rows whose prediction is the label; ValueError if there are no rows or rows without a class."""
    return float(correct(predictions, labels).mean())


def correct(predictions: Array, labels: Array) -> Array:
    """Return for each row whether the prediction is the label, (N,) bool; ValueError as for `accuracy`."""
    if len(labels) == 0 or predictions.shape != labels.shape:
        raise ValueError(f"predictions {predictions.shape} for labels {labels.shape}: nothing to compare")
    if (labels < 0).any():
        raise ValueError(f"{int((labels < 0).sum())} of {len(labels)} rows have no class, so no accuracy")
    return np.asarray(predictions == labels)


def kendall_tau(first: Array, second: Array) -> float:
    """Return Kendall's tau-b of two columns (N,), in [-1, 1]; infinities are ranked last.

    Raises:
        ValueError: all values of a column are equal, so that it has no order.
    """
    first, second = dense_ranks(first), dense_ranks(second)
    if first.max() == 0 or second.max() == 0:
        raise ValueError("Kendall's tau of a column whose values are all equal")
    return tau_of_ranks(first, second)


def dense_ranks(values: Array) -> Array:
    """Return the rank of each value (N,) among the distinct values, from 0 on; differences of infinities are no numbers."""
    return np.asarray(np.unique(checked(values, "column"), return_inverse=True)[1])


def tau_of_ranks(first: Array, second: Array) -> float:
    """Return Kendall's tau-b of two columns of finite numbers (N,), NaN if one is constant."""
    from scipy.stats import kendalltau  # it takes longer to import than most evaluations compute

    return float(kendalltau(first, second).statistic)


def logit_margins(logits: Array) -> Array:
    """Return the greatest logit minus the second greatest of each row of (N, K), K >= 2: (N,), at least 0."""
    top = np.partition(logits.astype(np.float64), -2, axis=1)
    return np.asarray(top[:, -1] - top[:, -2])


def confidence(logits: Array, *, own_probabilities: bool = False) -> Array:
    """Return the probability of the predicted class for each row of (N, K): (N,), the greatest softmax.

    Args:
        own_probabilities: the logits are log-probabilities, one per class, that need not add up to 1; return the
            greatest exp(logit).
    """
    logits = logits.astype(np.float64)
    greatest = logits.max(axis=1)
    return np.asarray(np.exp(greatest if own_probabilities else greatest - logsumexp(logits, axis=1)))
