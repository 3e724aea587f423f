"""Whether a network's features separate the classes better than those of another network, such as plain pixels."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from touchstone.contracts import NonNegativeInt, PositiveInt
from touchstone.evaluations.statistics import intervals
from touchstone.evaluations.statistics.estimators import Array
from touchstone.evaluations.statistics.pairing import partner, require_outputs
from touchstone.evaluations.statistics.rows import rate_row, row, rows_of, with_means
from touchstone.evaluations.statistics.seed_intervals import SIGNED
from touchstone.records.metric_tables import MetricRow
from touchstone.records.nouns import Cell

METRICS = ("probe_accuracy", "probe_accuracy_minus_*")
INVERSE_PENALTIES = (0.001, 0.01, 0.1, 1.0)


def linear_probe(
    fit_outputs: list[Cell],
    *,
    against: list[str] = [],  # noqa: B006 - a literal that the registry reads; never written to
    iterations: PositiveInt = 300,
    split_seed: NonNegativeInt = 0,
    resamples: PositiveInt = 1000,
    bootstrap_seed: NonNegativeInt = 0,
) -> list[MetricRow]:
    """Fit a linear classifier on each network's features of held-out images, and test it on other held-out images.

    The probe is a logistic regression on standardised penultimate features. It learns from one random half of the
    images and is tested on the other. Its penalty is the one of 0.001, 0.01, 0.1 and 1 (scikit-learn's C) that is best on
    the last quarter of the first half. The features of a softmax regression are the pixels.

    Args:
        fit_outputs: of the networks on held-out images with labels.
        against: networks whose accuracy is subtracted: the one of the same seed, or the only one.
        iterations: of the solver, at most.
        split_seed: of the halves, which are the same for all networks.

    Returns:
        Rows per network seed, then means over seeds. Metrics:

        - probe_accuracy on the second half, with its exact binomial interval.
        - probe_accuracy_minus_NETWORK: minus that of a network in `against`, paired by image.

    Raises:
        ValueError: a network in `against` has no outputs.

    References:
        Alain & Bengio 2017; docs/papers/translation.md, "Deviations".
    """
    require_outputs(against, fit_outputs)
    tested = [(cell, *_tested(cell, iterations, split_seed)) for cell in fit_outputs]
    rows: list[MetricRow] = []
    for cell, right, ids in tested:
        rows.append(rate_row("probe_accuracy", right, cell, ids=ids))
        for name in against if cell.entry not in against else []:
            others = {other.seed: (other, hits) for other, hits, _ in tested if other.entry == name}
            if (pair := partner(others, cell.seed)) is None:
                continue
            other, hits = pair
            interval = intervals.mean(
                right.astype(np.float64) - hits, method=SIGNED, resamples=resamples, seed=bootstrap_seed
            )
            files, unit = [cell, other], "difference of fractions"
            rows.append(row(f"probe_accuracy_minus_{name}", interval, cell=cell, n=len(ids), unit=unit, files=files))
    return with_means(rows)


def _tested(cell: Cell, iterations: int, split_seed: int) -> tuple[Array, Array]:
    """Return which images of the second half the probe gets right, and their ids."""
    ids = np.sort(cell.noun.example_ids)
    order = rows_of(cell.noun.example_ids, ids, cell.file)
    features = np.asarray(cell.noun.penultimate[order], dtype=np.float64)
    labels = np.asarray(cell.noun.labels[order])
    shuffled = np.random.default_rng(split_seed).permutation(len(ids))
    first, second = np.sort(shuffled[: len(ids) // 2]), np.sort(shuffled[len(ids) // 2 :])
    learn, choose = np.split(shuffled[: len(ids) // 2], [len(ids) // 2 * 3 // 4])
    # One thread: how a product is summed must not reach the report. Stopping at `iterations` is what was asked for.
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        scores = [
            _probe(penalty, iterations).fit(features[learn], labels[learn]).score(features[choose], labels[choose])
            for penalty in INVERSE_PENALTIES
        ]
        probe = _probe(INVERSE_PENALTIES[int(np.argmax(scores))], iterations).fit(features[first], labels[first])
        return np.asarray(probe.predict(features[second]) == labels[second]), ids[second]


def _probe(inverse_penalty: float, iterations: int) -> Pipeline:
    return make_pipeline(StandardScaler(), LogisticRegression(C=inverse_penalty, max_iter=iterations))
