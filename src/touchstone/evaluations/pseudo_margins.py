"""Whether a margin learned from held-out images ranks inputs better than the logit margin does."""

from __future__ import annotations

import warnings
from functools import partial
from itertools import product
from typing import Literal

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from touchstone.contracts import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from touchstone.evaluations.statistics import rank_intervals
from touchstone.evaluations.statistics.estimators import Array, logit_margins
from touchstone.evaluations.statistics.intervals import Sampling
from touchstone.evaluations.statistics.margin_cells import KeptMargins, kept
from touchstone.evaluations.statistics.rows import row, rows_of, with_means
from touchstone.evaluations.statistics.threats import network
from touchstone.records.metric_tables import MetricRow
from touchstone.records.nouns import Cell

METRICS = (
    "kendall_tau_pseudo", "kendall_tau_gain", "kendall_tau_pseudo_features_scaled", "kendall_tau_pseudo_features_sqrt",
    "kendall_tau_pseudo_logits_scaled", "kendall_tau_pseudo_logits_sqrt", "brittle_auroc_pseudo",
)  # fmt: skip
INPUTS, TARGETS = ("features", "logits"), ("scaled", "sqrt")


def pseudo_margins(
    margins: list[Cell],
    outputs: list[Cell],
    fit_margins: list[Cell],
    fit_outputs: list[Cell],
    *,
    inputs: Literal["features", "logits"] = "features",
    target: Literal["scaled", "sqrt"] = "scaled",
    eps: PositiveFloat = 0.1,
    hidden: PositiveInt = 64,
    epochs: PositiveInt = 300,
    weight_decay: NonNegativeFloat = 0.01,
    resamples: PositiveInt = 1000,
    bootstrap_seed: NonNegativeInt = 0,
) -> list[MetricRow]:
    """Fit pseudo-margins on held-out images, and compare them with logit margins.

    The regressor is an MLP with two hidden layers on standardised penultimate features or logits. Its target is the
    margin divided by the largest one, or the square root of the margin, and is then standardised. Unlike the paper's,
    it has no sigmoid at its output and is smaller, because it has a few hundred to 2,000 images to fit on.

    Args:
        margins, outputs: of the classifiers on test sets.
        fit_margins, fit_outputs: on held-out images, the only ones that pseudo-margins are fitted on; inputs whose
            margin was not found are left out.
        inputs, target: the choice that kendall_tau_pseudo, kendall_tau_gain and brittle_auroc_pseudo are about.

    Returns:
        Rows per classifier seed, set and norm on SET/NORM, then means over seeds. Metrics:

        - kendall_tau_pseudo: of pseudo-margin and input margin; kendall_tau_pseudo_INPUTS_TARGET: of all four choices.
        - kendall_tau_gain: kendall_tau_pseudo minus the tau of the logit margin, paired.
        - brittle_auroc_pseudo: of minus the pseudo-margin for inputs with margin <= eps, if both classes have at least
          5 % of the inputs.

        None of a classifier without any held-out margin that was found.

    Raises:
        ValueError: a classifier has no held-out margins.

    References:
        Ngnawe et al. 2024, section 5; docs/papers/margin_consistency.md, "Definitions" and "Deviations".
    """
    held_out = {(network(subject.outputs), subject.norm): subject for subject in kept(fit_margins, fit_outputs)}
    sampling: Sampling = {"resamples": resamples, "seed": bootstrap_seed}
    rows: list[MetricRow] = []
    for subject in kept(margins, outputs):
        reference = held_out.get((network(subject.outputs), subject.norm))
        if reference is None:
            raise ValueError(f"no held-out margins of {network(subject.outputs)} to fit a pseudo-margin on")
        if not np.isfinite(reference.margins).any():  # no margin was found to learn from
            continue
        new = partial(
            row,
            cell=subject.cells[0],
            n=len(subject.margins),
            files=[*subject.cells, subject.outputs, *reference.cells, reference.outputs],
            examples=f"{subject.examples}/{subject.norm}",
            threat_model=subject.threat,
        )
        learned = {
            choice: _learned(reference, subject, *choice, hidden=hidden, epochs=epochs, weight_decay=weight_decay)
            for choice in product(INPUTS, TARGETS)
        }
        for choice, pseudo in learned.items():
            tau = rank_intervals.kendall(subject.margins, pseudo, **sampling)
            rows.append(new(f"kendall_tau_pseudo_{'_'.join(choice)}", tau, unit="rank correlation"))
        pseudo, logits = learned[inputs, target], logit_margins(subject.logits)
        tau = rank_intervals.kendall(subject.margins, pseudo, **sampling)
        gain = rank_intervals.kendall_difference((subject.margins, pseudo), (subject.margins, logits), **sampling)
        rows.append(new("kendall_tau_pseudo", tau, unit="rank correlation"))
        rows.append(new("kendall_tau_gain", gain, unit="difference of tau"))
        brittle = subject.margins <= eps
        if 0.05 <= brittle.mean() <= 0.95:
            ends = rank_intervals.split_detection(-pseudo, brittle, **sampling)
            rows.append(new("brittle_auroc_pseudo", ends["auroc"], base_rate=float(brittle.mean()), unit=""))
    return with_means(rows)


def _learned(
    reference: KeptMargins,
    subject: KeptMargins,
    inputs: str,
    target: str,
    *,
    hidden: int,
    epochs: int,
    weight_decay: float,
) -> Array:
    """Return pseudo-margins for the inputs of `subject`, (N,), from a regressor fitted on `reference`."""
    usable = np.isfinite(reference.margins)
    goal = reference.margins[usable]
    goal = np.sqrt(goal) if target == "sqrt" else goal / goal.max()
    goal = (goal - goal.mean()) / (goal.std() or 1.0)  # one scale for both targets, or weight decay would choose
    regressor = MLPRegressor(
        hidden_layer_sizes=(hidden, hidden), alpha=weight_decay, max_iter=epochs, random_state=reference.seed or 0
    )
    # One thread: how a product is summed must not reach the report. Stopping at `epochs` is what was asked for.
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        scaler = StandardScaler().fit(_inputs(reference, inputs)[usable])
        regressor.fit(scaler.transform(_inputs(reference, inputs)[usable]), goal)
        return np.asarray(regressor.predict(scaler.transform(_inputs(subject, inputs))), dtype=np.float64)


def _inputs(subject: KeptMargins, inputs: str) -> Array:
    if inputs == "logits":
        return np.asarray(subject.logits, dtype=np.float64)
    noun = subject.outputs.noun
    same = rows_of(noun.example_ids, subject.ids, subject.outputs.file)
    return np.asarray(noun.penultimate[same], dtype=np.float64)
