"""How far inputs are from the decision boundary, and whether the logit margin ranks them by that distance."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from touchstone.contracts import NonNegativeInt, PositiveFloat, PositiveInt
from touchstone.evaluations._margin_proxies import PROXIES, feature_margins, last_layer
from touchstone.evaluations.statistics import intervals, rank_intervals
from touchstone.evaluations.statistics.estimators import Array, logit_margins
from touchstone.evaluations.statistics.margin_cells import KeptMargins, kept, lower_bounds
from touchstone.evaluations.statistics.pairing import partner
from touchstone.evaluations.statistics.rows import row, with_means
from touchstone.records.metric_rows import NO_ATTACKER, WHITE_BOX, Threat
from touchstone.records.metric_tables import MetricRow
from touchstone.records.nouns import Cell

METRICS = (
    "median_margin", "share_not_found", "kendall_tau", "kendall_tau_class_*", "kendall_tau_probability_margin",
    "kendall_tau_max_probability", "kendall_tau_max_logit", "kendall_tau_entropy", "kendall_tau_energy",
    "kendall_tau_gini", "kendall_tau_features", "kendall_tau_features_gain", "kendall_tau_difference",
    "robust_accuracy_at_*", "brittle_auroc_at_*", "brittle_aupr_at_*", "brittle_fpr95_at_*", "mean_excess",
    "brittle_missed_at_*", "median_lower_bound", "median_bracket", "certified_accuracy_at_*", "accuracy_bracket_at_*",
)  # fmt: skip
RAREST = 0.05  # share of the rarer class below which no detection statistic is given
FEWEST = 20  # inputs of a class below which its tau is not given
BRITTLE = {"auroc": "brittle_auroc", "aupr_ood": "brittle_aupr", "fpr95_ood": "brittle_fpr95"}


class RandomStreams(NamedTuple):
    """The bootstrap of a row: equal draws make differences of rows on the same inputs paired."""

    resamples: int
    seed: int


def margins(
    margins: list[Cell],
    outputs: list[Cell],
    checkpoints: list[Cell],
    *,
    eps: list[PositiveFloat],
    baseline: str | None = None,
    resamples: PositiveInt = 1000,
    bootstrap_seed: NonNegativeInt = 0,
) -> list[MetricRow]:
    """Measure input margins, and how well the logit margin and other stand-ins rank them.

    Args:
        margins: perturbation sizes in pixels, of several methods. Those of methods called certified_* are lower bounds.
            The others are upper bounds, and the smallest per input is kept.
        outputs, checkpoints: of the same classifiers on unattacked sets.
        eps: radii at which inputs count as brittle (margin <= eps).
        baseline: the classifier whose tau is subtracted from that of the others.

    Returns:
        Rows per classifier seed, set and norm, then means over seeds.

        On SET/NORM, of the kept margins; robust accuracies are upper bounds, as the margins are. Metrics:

        - median_margin (no row if fewer than half were found), share_not_found.
        - kendall_tau of input and logit margin (not found: ranked last); kendall_tau_class_C for the inputs predicted
          as C.
        - kendall_tau_PROXY of other stand-ins with fixed signs; kendall_tau_features of the exact feature margin;
          kendall_tau_features_gain, its paired difference to the logit margin.
        - robust_accuracy_at_EPS: right and margin > eps.
        - brittle_auroc_at_EPS, brittle_aupr_at_EPS, brittle_fpr95_at_EPS: how well minus the logit margin finds the
          brittle inputs, if both classes have at least 5 % of the inputs. FPR95 is the share of the others that is
          flagged when 95 % of the brittle inputs are caught.
        - on SET/NORM/minus_BASELINE, kendall_tau_difference, paired on the same inputs.

        On SET/METHOD:

        - median_margin and share_not_found of one method; if there are several, mean_excess over the kept margin and
          brittle_missed_at_EPS, the share of inputs that only another method finds brittle.
        - of lower bounds: median_lower_bound, median_bracket (kept margin minus bound), certified_accuracy_at_EPS, and
          accuracy_bracket_at_EPS, by how much the robust accuracy of the kept margins exceeds it.

    Raises:
        ValueError: margins and outputs disagree on a prediction, or a lower bound is above a margin that was found.

    References:
        Ngnawe et al. 2024; docs/papers/margin_consistency.md, "Definitions" and "What is built".
    """
    sampling = RandomStreams(resamples, bootstrap_seed)
    groups = kept(margins, outputs)
    rows: list[MetricRow] = []
    for subject in groups:
        new = _rows_of(subject)
        rows += _overall(new, subject, sampling)
        rows += _proxies(new, subject, checkpoints, sampling)
        for radius in eps:
            robust = intervals.share(subject.right & (subject.margins > radius))
            rows.append(new(f"robust_accuracy_at_{radius:g}", robust))
            rows += _brittle(new, subject, radius, sampling)
        rows += _methods(subject, eps, sampling)
        rows += _lower(subject, margins, eps, sampling)
    rows += _differences(groups, baseline, sampling)
    return with_means(rows)


def _rows_of(subject: KeptMargins, *more: Cell) -> Callable[..., MetricRow]:
    return partial(
        row,
        cell=subject.cells[0],
        n=len(subject.margins),
        files=[*subject.cells, subject.outputs, *more],
        examples=f"{subject.examples}/{subject.norm}",
        threat_model=subject.threat,
    )


def _median(new: Callable[..., MetricRow], name: str, values: Array, sampling: RandomStreams) -> list[MetricRow]:
    middle = intervals.median(values, **sampling._asdict())
    return [new(name, middle, unit="pixels")] if np.isfinite(middle.value) else []


def _overall(new: Callable[..., MetricRow], subject: KeptMargins, sampling: RandomStreams) -> list[MetricRow]:
    missing = intervals.share(np.isinf(subject.margins))
    logits = logit_margins(subject.logits)
    rows = [*_median(new, "median_margin", subject.margins, sampling), new("share_not_found", missing)]
    rows += _tau(new, "kendall_tau", subject.margins, logits, sampling)
    for name in np.unique(subject.predictions):
        predicted = subject.predictions == name
        if predicted.sum() >= FEWEST:
            here = partial(new, n=int(predicted.sum()))
            rows += _tau(here, f"kendall_tau_class_{name}", subject.margins[predicted], logits[predicted], sampling)
    return rows


def _tau(
    new: Callable[..., MetricRow], name: str, inputs: Array, proxy: Array, sampling: RandomStreams
) -> list[MetricRow]:
    if len(np.unique(inputs)) == 1 or len(np.unique(proxy)) == 1:
        return []
    return [new(name, rank_intervals.kendall(inputs, proxy, **sampling._asdict()), unit="rank correlation")]


def _proxies(
    new: Callable[..., MetricRow], subject: KeptMargins, checkpoints: list[Cell], sampling: RandomStreams
) -> list[MetricRow]:
    rows: list[MetricRow] = []
    for name, proxy in PROXIES.items():
        rows += _tau(new, f"kendall_tau_{name}", subject.margins, proxy(subject.logits), sampling)
    checkpoint = [
        cell for cell in checkpoints if (cell.entry, cell.seed) == (subject.outputs.entry, subject.outputs.seed)
    ]
    features = subject.outputs.noun.features.get("penultimate")
    if not checkpoint or features is None:
        return rows
    weight = last_layer(checkpoint[0].noun.weights, features, subject.outputs.noun.logits)
    if weight is None:  # no linear layer gives the logits: an ensemble, an RBF network
        return rows
    exact = feature_margins(subject.logits, weight, subject.norm)
    new = partial(new, files=[*subject.cells, subject.outputs, checkpoint[0]])
    rows += _tau(new, "kendall_tau_features", subject.margins, exact, sampling)
    if rows and rows[-1].metric == "kendall_tau_features":
        pairs = (subject.margins, exact), (subject.margins, logit_margins(subject.logits))
        gain = rank_intervals.kendall_difference(*pairs, **sampling._asdict())
        rows.append(new("kendall_tau_features_gain", gain, unit="difference of tau"))
    return rows


def _brittle(
    new: Callable[..., MetricRow], subject: KeptMargins, radius: float, sampling: RandomStreams
) -> list[MetricRow]:
    brittle, scores = subject.margins <= radius, -logit_margins(subject.logits)
    share = float(brittle.mean())
    if min(share, 1 - share) < RAREST:
        return []
    ends = rank_intervals.split_detection(scores, brittle, **sampling._asdict())
    return [
        new(f"{name}_at_{radius:g}", ends[metric], base_rate=share, unit="fraction" if "fpr" in name else "")
        for metric, name in BRITTLE.items()
    ]


def _methods(subject: KeptMargins, eps: list[float], sampling: RandomStreams) -> list[MetricRow]:
    """Return what each method found, and how far it is from the smallest margin that any of them found."""
    rows: list[MetricRow] = []
    for cell, margins_found in zip(subject.cells, subject.by_method, strict=True):
        new = partial(
            row,
            cell=cell,
            n=len(margins_found),
            files=[*subject.cells, subject.outputs],
            examples=f"{cell.examples}/{cell.margin}",
            threat_model=Threat(WHITE_BOX, how="least change found", norm=cell.noun.norm, use=cell.noun.method),
        )
        rows += _median(new, "median_margin", margins_found, sampling)
        rows.append(new("share_not_found", intervals.share(np.isinf(margins_found))))
        both = np.isfinite(margins_found) & (subject.margins > 0)
        if len(subject.cells) > 1 and both.any():
            ratios = np.divide(margins_found, subject.margins, out=np.ones(len(both)), where=both)
            excess = intervals.mean(ratios - 1, among=both, **sampling._asdict())
            rows.append(new("mean_excess", excess, n=int(both.sum()), unit="relative"))
        for radius in eps if len(subject.cells) > 1 else []:
            missed = (margins_found > radius) & (subject.margins <= radius)
            rows.append(new(f"brittle_missed_at_{radius:g}", intervals.share(missed)))
    return rows


def _lower(subject: KeptMargins, margins: list[Cell], eps: list[float], sampling: RandomStreams) -> list[MetricRow]:
    """Return what certified lower bounds say next to the upper ones; they enter no other statistic."""
    rows: list[MetricRow] = []
    for cell, bounds in lower_bounds(subject, margins):
        new = partial(
            row,
            cell=cell,
            n=len(bounds),
            files=[cell, *subject.cells, subject.outputs],
            examples=f"{cell.examples}/{cell.margin}",
            threat_model=Threat(NO_ATTACKER, how="lower bound", norm=cell.noun.norm, use=cell.noun.method),
        )
        rows += _median(new, "median_lower_bound", bounds, sampling)
        finite = np.isfinite(subject.margins)
        if finite.any():
            rows += _median(new, "median_bracket", (subject.margins - bounds)[finite], sampling)
        for radius in eps:
            proved = subject.right & (bounds > radius)
            rows.append(new(f"certified_accuracy_at_{radius:g}", intervals.share(proved)))
            open_cases = subject.right & (subject.margins > radius) & ~proved
            rows.append(new(f"accuracy_bracket_at_{radius:g}", intervals.share(open_cases)))
    return rows


def _differences(groups: list[KeptMargins], baseline: str | None, sampling: RandomStreams) -> list[MetricRow]:
    """Return by how much tau differs from the baseline's, paired by input: with the network of its seed, or the only one."""
    rows: list[MetricRow] = []
    for subject in groups:
        others = [g for g in groups if g.entry == baseline and (g.examples, g.norm) == (subject.examples, subject.norm)]
        if subject.entry == baseline or not others:
            continue
        other = partner({group.seed: group for group in others}, subject.seed)
        if other is None:
            continue
        if not np.array_equal(subject.ids, other.ids):
            raise ValueError(f"{subject.outputs.file} and {other.outputs.file} are not of the same inputs")
        pairs = [(group.margins, logit_margins(group.logits)) for group in (subject, other)]
        if all(len(np.unique(column)) > 1 for pair in pairs for column in pair):
            new = _rows_of(subject, *other.cells, other.outputs)
            difference = rank_intervals.kendall_difference(pairs[0], pairs[1], **sampling._asdict())
            place = f"{subject.examples}/{subject.norm}/minus_{baseline}"
            rows.append(new("kendall_tau_difference", difference, examples=place, unit="difference of tau"))
    return rows
