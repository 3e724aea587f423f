"""By how much detectors that are fitted for one anomaly each beat the best baseline, fitted for the same anomaly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from touchstone.contracts import NonNegativeInt, PositiveInt
from touchstone.evaluations._contests import Contest, contests
from touchstone.evaluations.statistics import estimators, rank_intervals
from touchstone.evaluations.statistics.estimators import Array
from touchstone.evaluations.statistics.intervals import from_samples
from touchstone.evaluations.statistics.rows import grouped, mean_over_sets, row, with_means
from touchstone.evaluations.statistics.seed_intervals import SCORE, SIGNED
from touchstone.evaluations.statistics.threats import network
from touchstone.records.metric_tables import MetricRow
from touchstone.records.nouns import Cell

METRICS = (
    "auroc", "auroc_of_best_of_*", "auroc_minus_best_of_*", "auroc_successes", "auroc_successes_of_best_of_*",
    "auroc_successes_minus_best_of_*",
)  # fmt: skip


def gain_over_best(
    scores: list[Cell],
    outputs: list[Cell],
    detectors: list[Cell],
    *,
    id_examples: str,
    learned: list[str],
    against: list[str],
    anomalies: list[str] = [],  # noqa: B006 - a literal that the registry reads; never written to
    resamples: PositiveInt = 1000,
    bootstrap_seed: NonNegativeInt = 0,
) -> list[MetricRow]:
    """Measure the mean gain in AUROC over the best of several baselines, each fitted on what the method was fitted on.

    Of one network, with anomalies a = 1 to A, baselines B(a) and the AUROC A_d(a) of detector d on anomaly a:

        gain = 1/A sum_a [ A_learned(a)(a) - max_{b in B(a)} A_b(a) ]

    B(a) are those of `against` that were fitted on the same anomalous images as learned(a), or on none.
    So the baseline may be another one for each anomaly and each network. The maximum is taken again in each resample, with
    the same images for all detectors and all anomalies: the interval covers the choice. The maximum of several estimates is
    rather too large, so the gain is rather too small.

    Args:
        scores: of each network and detector on `id_examples`, on its attacked versions and on anomalous sets. Attacks
            that were made on another network do not count.
        outputs: of the same networks, which say which attacks succeeded.
        detectors: with the anomaly that each was fitted on.
        id_examples: the in-distribution set.
        learned: the detectors of the method, one per anomaly.
        against: the baselines, for all anomalies. The first one names the metrics.
        anomalies: for each of `learned`, the attack or the anomalous set that it is tested on; without any, the one attack
            that it was fitted on. Of an attack count the images that are right when clean and wrong when attacked.

    Returns:
        Rows per network of auroc (of attacks auroc_successes) of each detector on its anomaly; of the method's detectors
        auroc_of_best_of_FIRST and auroc_minus_best_of_FIRST (auroc_successes_...): the best baseline's AUROC, and the gain.
        On mean_of_sets are the means of these three over the anomalies, of the first detector of the method. Then means
        over seeds. An attack with fewer than 10 successes has no rows, and its network has no mean.

    Raises:
        ValueError: scores or a detector are missing, `anomalies` and `learned` differ in length, one of `learned` was
            fitted on several anomalies, an anomaly has no baseline, or some anomalies are attacks and some sets.

    References:
        docs/papers/gradient_detection.md, "Scaled-down study".
    """
    if anomalies and len(anomalies) != len(learned):
        raise ValueError(f"anomalies and learned name {len(anomalies)} and {len(learned)}, expected as many")
    scores = [cell for cell in scores if cell.victim.partition("+")[0] in ("", network(cell))]
    fitted_on = {(network(cell), cell.detector): tuple(cell.settings["anomalous"]) for cell in detectors}
    found: dict[tuple[str, str, str], Contest] = {}
    for contest in contests(scores, outputs, id_examples):
        cell = contest.anomalous
        if bool(cell.attack) == bool(contest.suffix):  # of attacks the successes alone
            found[network(cell), cell.detector, cell.attack or cell.examples] = contest
    rows: list[MetricRow] = []
    for net, group in grouped(scores, network).items():
        if missing := [name for name in (*learned, *against) if (net, name) not in fitted_on]:
            raise ValueError(f"no detector {missing[0]} of {net}; name it in detectors")
        first = f"{group[0].entry}+{learned[0]}"
        of_anomalies = []
        for place, own in enumerate(learned):
            trained = fitted_on[net, own]
            if len(trained) != 1:
                raise ValueError(f"{own} is fitted on {len(trained)} anomalies, expected one")
            anomaly = anomalies[place] if anomalies else trained[0]
            baselines = [name for name in against if fitted_on[net, name] in ((), trained)]
            if not baselines:
                raise ValueError(f"no baseline of {net} is fitted on {trained[0]} or on nothing; name one in against")
            scored = {cell.detector for cell in group if anomaly in (cell.attack, "" if cell.attack else cell.examples)}
            if missing := [name for name in (own, *baselines) if name not in scored]:
                raise ValueError(f"no scores of {net} and {missing[0]} on {anomaly}")
            contested = [found[net, name, anomaly] for name in (own, *baselines) if (net, name, anomaly) in found]
            if contested:  # an attack with too few successes has none
                of_anomalies.append(_rows(contested, against[0], resamples, bootstrap_seed))
                rows += of_anomalies[-1]
        if len({part[0].metric for part in of_anomalies}) > 1:
            raise ValueError(
                "anomalies are attacks and sets, which have no common mean; ask about them in two evaluations"
            )
        if len(of_anomalies) == len(learned):
            rows += [_mean(list(same), first) for same in zip(*(part[:3] for part in of_anomalies), strict=True)]
    return with_means(rows)


def _rows(found: Sequence[Contest], name: str, resamples: int, seed: int) -> list[MetricRow]:
    """Return the rows of one anomaly: of the method, of the best baseline, the gain, and of each baseline."""
    values, samples = zip(*(_auroc(contest, resamples, seed) for contest in found), strict=True)
    mine, metric = found[0], f"auroc{found[0].suffix}"
    best, highest = max(values[1:]), np.max(samples[1:], axis=0)
    files = [cell for contest in found for cell in contest.files]
    return [
        _row(metric, values[0], samples[0], mine, mine.files),
        _row(f"{metric}_of_best_of_{name}", best, highest, mine, files),
        _row(f"{metric}_minus_best_of_{name}", values[0] - best, samples[0] - highest, mine, files, difference=True),
        *(
            _row(metric, value, drawn, each, each.files)
            for each, value, drawn in zip(found[1:], values[1:], samples[1:], strict=True)
        ),
    ]


def _auroc(contest: Contest, resamples: int, seed: int) -> tuple[float, Array]:
    normal, anomalous = contest.scores
    drawn = rank_intervals.detection_samples(
        normal,
        anomalous,
        resamples=resamples,
        seed=seed,
        statistics=("auroc",),
        counted=contest.counted,
        paired=contest.paired,
    )
    counted = anomalous if contest.counted is None else anomalous[contest.counted]
    return estimators.point("auroc", normal, counted), drawn["auroc"]


def _row(
    metric: str, value: float, samples: Array, contest: Contest, files: list[Cell], *, difference: bool = False
) -> MetricRow:
    normal, anomalous = contest.sizes
    scored = (len(contest.normal.noun.scores), len(contest.anomalous.noun.scores))
    drawn_from = scored[:1] if contest.paired else scored
    return row(
        metric,
        from_samples(value, samples, drawn_from, SIGNED if difference else SCORE, counted=anomalous),
        cell=contest.anomalous,
        entry=contest.entry,
        n=contest.n,
        base_rate=None if difference else anomalous / (normal + anomalous),
        unit="difference" if difference else "",
        files=files,
    )


def _mean(rows: list[MetricRow], entry: str) -> MetricRow:
    """Return the mean over anomalies, all about the same ID images, of the entry `entry`."""
    mean = mean_over_sets(rows)
    return replace(mean, entry=entry, threat=replace(mean.threat, norm="", budget=(), use=""))
