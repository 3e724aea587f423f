"""How well a detector trained on one anomaly recognises another one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from touchstone.contracts import NonNegativeInt, PositiveInt
from touchstone.evaluations._contests import FEWEST, Contest, contests
from touchstone.evaluations.statistics import rank_intervals
from touchstone.evaluations.statistics.estimators import correct
from touchstone.evaluations.statistics.intervals import Interval
from touchstone.evaluations.statistics.rows import (
    attacked_outputs,
    clean_outputs,
    grouped,
    rate_row,
    row,
    rows_of,
    with_means,
)
from touchstone.evaluations.statistics.threats import network
from touchstone.records.metric_tables import MetricRow
from touchstone.records.nouns import Cell

METRICS = ("auroc", "auroc_successes", "auroc_drop_from_*", "auroc_successes_drop_from_*", "success_rate")


def cross_attack(
    scores: list[Cell],
    outputs: list[Cell],
    detectors: list[Cell],
    *,
    id_examples: str,
    resamples: PositiveInt = 1000,
    bootstrap_seed: NonNegativeInt = 0,
) -> list[MetricRow]:
    """Measure what a supervised detector loses when it is tested on another attack than it was trained on.

    Args:
        scores, outputs, id_examples: as for `detection`.
        detectors: with the anomaly that each was trained on. Unsupervised ones are skipped, because they are never
            ranked with supervised ones.

    Returns:
        Rows per supervised detector and anomalous set, then means over seeds. Metrics:

        - auroc, auroc_successes: as `detection` gives them.
        - auroc_drop_from_A: AUROC on attack A on this network, the only one in training, minus that on another attack,
          paired on the same images; auroc_successes_drop_from_A on the images for which both attacks succeeded, if there
          are at least 10.
        - success_rate: of each attack on images that are right when clean; images whose attack fails are hardly
          anomalous.

    Raises:
        ValueError: no detector is supervised.

    References:
        docs/papers/gradient_detection.md, "Scaled-down study".
    """
    trained = {(network(cell), cell.detector): cell for cell in detectors if cell.noun.supervised}
    if not trained:
        raise ValueError("no detector here is supervised, so none is trained on an attack")
    supervised = [cell for cell in scores if (network(cell), cell.detector) in trained]
    pairs = list(contests(supervised, outputs, id_examples))
    rows = _success_rates(pairs, outputs)
    for contest in pairs:
        value = rank_intervals.detection(
            *contest.scores,
            resamples=resamples,
            seed=bootstrap_seed,
            counted=contest.counted,
            paired=contest.paired,
        )["auroc"]
        rows.append(_row("auroc" + contest.suffix, value, contest, contest, ""))
        trained_on = trained[network(contest.normal), contest.normal.detector].settings["anomalous"]
        before = [other for other in pairs if _of_the_same(other, contest) and _is_of_training(other, trained_on)]
        if before and contest.anomalous.attack not in ("", *trained_on):
            rows += _drop(before[0], contest, trained_on[0], resamples, bootstrap_seed)
    return with_means(rows)


def _of_the_same(one: Contest, other: Contest) -> bool:
    """Return whether two contests of one detector are about versions of the same images."""
    same = one.normal is other.normal and one.suffix == other.suffix
    return same and one.anomalous.examples == other.anomalous.examples


def _is_of_training(contest: Contest, trained_on: list[str]) -> bool:
    """Return whether the attack is the only one in training, made on the detector's network and on no other."""
    cell = contest.anomalous
    return [cell.attack] == trained_on and cell.victim == network(cell)


def _drop(before: Contest, after: Contest, name: str, resamples: int, seed: int) -> list[MetricRow]:
    if after.keep is not None and before.keep is not None:
        both = np.intersect1d(before.keep, after.keep)
        if len(both) < FEWEST:
            return []
        before, after = replace(before, keep=both), replace(after, keep=both)
    drop = rank_intervals.detection_difference(
        before.scores,
        after.scores,
        resamples=resamples,
        seed=seed,
        statistics=("auroc",),
        counted=after.counted,
        paired=after.paired,
    )["auroc"]
    return [_row(f"auroc{after.suffix}_drop_from_{name}", drop, after, before, "difference")]


def _row(metric: str, value: Interval, contest: Contest, second: Contest, unit: str) -> MetricRow:
    return row(
        metric,
        value,
        cell=contest.anomalous,
        entry=contest.entry,
        n=contest.n,
        unit=unit,
        files=[*contest.files, *second.files],
    )


def _success_rates(pairs: list[Contest], outputs: list[Cell]) -> list[MetricRow]:
    """Return one row per classifier seed and attacked set, whichever detectors there are."""
    rows = []
    own = (contest.anomalous for contest in pairs if contest.anomalous.examples == contest.normal.examples)
    attacked = [cell for cell in own if cell.attack]  # other sets have classes that the network does not know
    for group in grouped(attacked, lambda cell: (network(cell), cell.examples, cell.victim, cell.attack)).values():
        cell = group[0]
        clean = clean_outputs(outputs, cell)
        out = attacked_outputs(outputs, cell)
        same = rows_of(clean.noun.example_ids, out.noun.example_ids, out.file)
        right = correct(clean.noun.predictions, clean.noun.labels)[same]
        wrong = ~correct(out.noun.predictions, out.noun.labels)
        if right.any():
            rows.append(rate_row("success_rate", wrong, out, among=right, files=[clean, out]))
    return rows
