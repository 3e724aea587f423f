"""How straight the logits run along the sign of the gradient."""

from __future__ import annotations

import numpy as np

from touchstone.contracts import NonNegativeInt, PositiveFloat, PositiveInt
from touchstone.evaluations.statistics import intervals
from touchstone.evaluations.statistics.estimators import Array
from touchstone.evaluations.statistics.intervals import Sampling
from touchstone.evaluations.statistics.logit_paths import logit_paths
from touchstone.evaluations.statistics.rows import row, with_means
from touchstone.records.metric_rows import WHITE_BOX, Threat, stated
from touchstone.records.metric_tables import MetricRow
from touchstone.records.nouns import Cell

METRICS = ("median_r2",)


def linearity(
    outputs: list[Cell],
    *,
    up_to: PositiveFloat = 0.1,
    resamples: PositiveInt = 1000,
    bootstrap_seed: NonNegativeInt = 0,
) -> list[MetricRow]:
    """Fit straight lines to the logits along the sign of the gradient.

    Args:
        outputs: of each classifier on the clean set and on white-box FGSM images without clipping, at three eps or more
            up to `up_to`: the points x + t sign(gradient).

    Returns:
        Rows median_r2 per classifier seed and set, then means over seeds. A line in t is fitted to each logit of each
        image; R^2 is the share of the logit's variance that the line explains (1 for a logit that does not move). The
        median is over images and logits, with a bootstrap interval over images.

    Raises:
        ValueError: there are fewer than three eps.

    References:
        Goodfellow et al. 2015, section 4 and figure 4; docs/papers/fgsm.md, "Linear models".
    """
    rows: list[MetricRow] = []
    for path in logit_paths(outputs):
        near = path.places <= up_to + 1e-9
        if near.sum() < 4:
            raise ValueError(
                f"{path.clean.file}: {near.sum() - 1} unclipped FGSM sets up to eps {up_to:g}, 3 are needed"
            )
        fits = r_squared(path.places[near], path.logits[near])
        budget = (("eps", stated(up_to)),)
        along = Threat(WHITE_BOX, how="along the gradient's sign", norm="linf", budget=budget, use="fgsm")
        median = _median(fits, {"resamples": resamples, "seed": bootstrap_seed})
        files = [path.clean, *(cell for cell, used in zip(path.attacked, near[1:], strict=True) if used)]
        one = row("median_r2", median, cell=path.clean, n=len(fits), files=files, threat_model=along, unit="")
        rows.append(one)
    return with_means(rows)


def r_squared(places: Array, values: Array) -> Array:
    """Return R^2 of straight lines through values (T, N, K) over places (T,): (N, K), 1 where nothing varies."""
    off = places - places.mean()
    centred = values - values.mean(axis=0)
    slope = np.einsum("t,tnk->nk", off, centred) / (off**2).sum()
    left = ((centred - off[:, None, None] * slope) ** 2).sum(axis=0)
    total = (centred**2).sum(axis=0)
    return np.asarray(1 - np.divide(left, total, out=np.zeros_like(left), where=total > 0))


def _median(fits: Array, sampling: Sampling) -> intervals.Interval:
    def statistic(*columns: Array) -> Array:
        return np.asarray(np.median(np.concatenate(columns, axis=1), axis=1))

    return intervals.percentile(*intervals.bootstrap(statistic, tuple(fits.T), **sampling), (len(fits),))
