"""Whether the logit margin ranks inputs better in networks that are more robust."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import stats

from touchstone.contracts import NonNegativeInt, PositiveFloat, PositiveInt
from touchstone.evaluations.statistics import intervals
from touchstone.evaluations.statistics.estimators import Array, kendall_tau, logit_margins
from touchstone.evaluations.statistics.margin_cells import KeptMargins, kept
from touchstone.evaluations.statistics.rows import grouped, row
from touchstone.evaluations.statistics.seed_intervals import SIGNED
from touchstone.records.metric_tables import MetricRow
from touchstone.records.nouns import Cell

METRICS = ("spearman_of_tau_and_robust_accuracy",)
NETWORKS = "networks"  # in place of the name of one
FEWEST = 4  # networks below which there is no correlation to speak of


def tau_and_robustness(
    margins: list[Cell],
    outputs: list[Cell],
    *,
    eps: PositiveFloat = 0.1,
    resamples: PositiveInt = 1000,
    bootstrap_seed: NonNegativeInt = 0,
) -> list[MetricRow]:
    """Correlate, over networks, how well the logit margin ranks inputs with how robust the network is.

    Of each network, tau is Kendall's rank correlation of input and logit margin, and the robust accuracy is the share of
    inputs that are right with a margin above `eps`. Of several seeds the first counts. A network without a tau, because one
    of its margins is the same for all inputs, is left out.

    Args:
        margins, outputs: of the same classifiers on the same unattacked sets; the smallest margin per input is kept.
        eps: in pixels.

    Returns:
        One row per set and norm on SET/NORM, whose entry is `networks`. Its n is the number of networks, which are
        resampled for the interval. Metric:

        - spearman_of_tau_and_robust_accuracy: Spearman's rank correlation over the networks.

    Raises:
        ValueError: fewer than four networks have a tau.

    References:
        Ngnawe et al. 2024, Fig. 2; docs/papers/margin_consistency.md.
    """
    rows = []
    for (examples, norm), subjects in grouped(kept(margins, outputs), lambda one: (one.examples, one.norm)).items():
        seeds = grouped(sorted(subjects, key=lambda one: (one.entry, one.seed or 0)), lambda one: one.entry)
        ranked = [one for one, *_ in seeds.values() if _has_tau(one)]
        if len(ranked) < FEWEST:
            raise ValueError(f"{examples}: {len(ranked)} networks have a tau, and a correlation needs {FEWEST}")
        points = np.array([_point(one, eps) for one in ranked])
        drawn = intervals.draws(len(points), resamples, np.random.default_rng([bootstrap_seed]), resamples)
        samples = np.concatenate([_spearman(points[part]) for part in drawn])
        interval = intervals.from_samples(float(_spearman(points[None])[0]), samples, (len(points),), SIGNED)
        low, high = (None if end is None else min(max(end, -1.0), 1.0) for end in (interval.low, interval.high))
        interval = interval._replace(low=low, high=high)  # no correlation lies beyond
        files = [cell for one in ranked for cell in (*one.cells, one.outputs)]
        rows.append(
            row(
                METRICS[0],
                interval,
                cell=replace(ranked[0].outputs, seed=None),
                n=len(points),
                files=files,
                entry=NETWORKS,
                examples=f"{examples}/{norm}",
                threat_model=ranked[0].threat,
                unit="rank correlation",
            )
        )
    return rows


def _has_tau(one: KeptMargins) -> bool:
    return all(len(np.unique(column)) > 1 for column in (one.margins, logit_margins(one.logits)))


def _point(one: KeptMargins, eps: float) -> tuple[float, float]:
    """Return tau and robust accuracy of one network."""
    return kendall_tau(one.margins, logit_margins(one.logits)), float((one.right & (one.margins > eps)).mean())


def _spearman(points: Array) -> Array:
    """Return Spearman's correlation of the two columns of (R, N, 2): (R,); 0 if a column is constant."""
    ranks = stats.rankdata(points, axis=1)
    ranks -= ranks.mean(axis=1, keepdims=True)
    products, squares = ranks.prod(axis=2).sum(axis=1), (ranks**2).sum(axis=1)
    spread = np.sqrt(squares[:, 0]) * np.sqrt(squares[:, 1])
    return np.asarray(np.divide(products, spread, out=np.zeros(len(points)), where=spread > 0))
