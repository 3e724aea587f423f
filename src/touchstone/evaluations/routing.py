"""How a router and its translators change accuracy, and what gets past them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from touchstone.contracts import NonNegativeInt, PositiveInt
from touchstone.evaluations._attack_checks import against_oblivious
from touchstone.evaluations._contests import are_pairs
from touchstone.evaluations._unions import Union, unions
from touchstone.evaluations.statistics import intervals, rank_intervals
from touchstone.evaluations.statistics.estimators import Array, correct
from touchstone.evaluations.statistics.intervals import Sampling, from_samples
from touchstone.evaluations.statistics.rows import clean_outputs, grouped, only, rate_row, row, rows_of, with_means
from touchstone.evaluations.statistics.seed_intervals import PLAIN, SIGNED
from touchstone.evaluations.statistics.threats import equal_budgets, network, seedless, white_box
from touchstone.evaluations.statistics.threshold_intervals import less_threshold, of_detector, share_at
from touchstone.records.metric_tables import MetricRow
from touchstone.records.nouns import Cell

METRICS = (
    "accuracy", "untranslated_accuracy", "translated_accuracy", "oracle_accuracy", "oracle_accuracy_minus_*",
    "over_half_of_oracle_gain", "translation_gain", "accuracy_minus_*", "fall_from_*_on_*", "relative_robustness",
    "routing_rate", "false_routing_rate", "evasion_rate_at_*", "router_auroc", "routing_excess", "oblivious_only_share*",
    "worse_than_oblivious", "evades_less_than_oblivious", "*_passed",
)  # fmt: skip


def routing(
    outputs: list[Cell],
    detectors: list[Cell],
    calibration_scores: list[Cell],
    *,
    resamples: PositiveInt = 1000,
    bootstrap_seed: NonNegativeInt = 0,
) -> list[MetricRow]:
    """Measure translation defences: their accuracy, what their router does, and what gets past it.

    Args:
        outputs: of each defence on clean and attacked sets.
        detectors: the routers, with their thresholds.
        calibration_scores: of each router on the images that gave its threshold.

    Returns:
        Rows per defence, seed and set, then means over seeds. Accuracies have exact binomial intervals, the rest
        bootstrap ones. Those of rates of routing and evasion and of the excess also cover other calibration images,
        which would have given another threshold. Metrics:

        - accuracy of the deployed pipeline; untranslated_accuracy and translated_accuracy if every image takes one
          path.
        - oracle_accuracy of a router that knows which sets are attacked: an upper bound, never the defence.
        - relative_robustness: accuracy over the clean accuracy of the undefended network. It is secondary, because it
          penalises clean errors twice.
        - false_routing_rate of clean sets; routing_rate and router_auroc of attacked sets.
        - evasion_rate_at_F: the share of all inputs that are misclassified and not routed, at the threshold of
          false-positive rate F.
        - on SET/worst, accuracy and evasion_rate_at_F against the worst of all attacks of one norm and eps that were tried,
          each image by itself: adaptive, oblivious and transferred ones. The two count different images. With several
          budgets there is one such place each, like SET/worst_linf@0.1.
        - oblivious_only_share and oblivious_only_share_at_F, of what succeeds on SET/worst: the share that no attack on
          the whole defence achieved. If it is large, that attack is weak.
        - worse_than_oblivious and evades_less_than_oblivious, checks: by how much the best attack that ignores the defence
          beats the best one on all of it, in accuracy and in evasion.
        - routing_excess: the mean of score minus threshold, in spreads of the calibration scores.
        - paired differences of accuracy: translation_gain, translated minus untranslated path; accuracy_minus_NETWORK,
          pipeline minus the bare network; oracle_accuracy_minus_NETWORK; over_half_of_oracle_gain, the pipeline minus the
          mean of the oracle and the bare network, which says whether the router keeps half of what the oracle gains if the
          oracle gains something; fall_from_ATTACK_on_NETWORK, that attack on the bare network minus this attack on the
          pipeline, or on SET/worst the worst of all, with equal norm and eps: what knowing the defence is worth.

    Raises:
        ValueError: outputs are of networks, a clean set or a router is missing, or two attacks are not on the same
            images.

    References:
        docs/papers/translation.md, "Router" and "The experiment".
    """
    sampling: Sampling = {"resamples": resamples, "seed": bootstrap_seed}
    rows: list[MetricRow] = []
    for group in grouped(outputs, lambda cell: (network(cell), cell.examples)).values():
        for cell in group:
            if "routed" not in cell.noun.features:
                raise ValueError(f"{cell.file}: outputs of a network; routing is about defences")
            clean = clean_outputs(group, cell)
            rows += _accuracies(cell, clean, sampling)
            rows += _falls(cell, group, sampling)
            if "routing_score" in cell.noun.features:
                rows += _routes(cell, clean, _router(detectors, cell), _router(calibration_scores, cell), sampling)
        for union in unions(group, white_box):
            rows += _worst(union, detectors, calibration_scores, sampling)
    return with_means(rows)


def _router(cells: list[Cell], cell: Cell) -> Cell:
    """Return what is given of the router of the cell's defence: its detector, or its calibration scores."""
    own = (router for router in cells if network(router) == network(cell))
    return only(own, f"the router of {network(cell)}")


def _right(cell: Cell, path: str = "") -> Array:
    """Return per row whether the pipeline, or one of its paths, is right."""
    predictions = cell.noun.features[path].argmax(axis=1) if path else cell.noun.predictions
    return correct(predictions, cell.noun.labels)


def _less(metric: str, first: Array, second: Array, files: list[Cell], sampling: Sampling, **about: Any) -> MetricRow:
    """Return the row of the first share of right predictions minus the second, both in the order of their ids."""
    interval = intervals.mean(first.astype(np.float64) - second, method=SIGNED, **sampling)
    return row(metric, interval, cell=files[0], n=len(first), unit="difference of fractions", files=files, **about)


def _accuracies(cell: Cell, clean: Cell, sampling: Sampling) -> list[MetricRow]:
    untranslated, translated = _right(cell, "untranslated"), _right(cell, "translated")
    oracle = translated if cell.attack else untranslated
    order = np.argsort(cell.noun.example_ids)
    bare = f"accuracy_minus_{_protected(cell)}"
    undefended = float(_right(clean, "untranslated").mean())
    accuracy = rate_row("accuracy", _right(cell), cell)
    return [
        accuracy,
        rate_row("untranslated_accuracy", untranslated, cell),
        rate_row("translated_accuracy", translated, cell),
        rate_row("oracle_accuracy", oracle, cell),
        _less("translation_gain", translated[order], untranslated[order], [cell], sampling),
        _less(bare, _right(cell)[order], untranslated[order], [cell], sampling),
        _less(f"oracle_{bare}", oracle[order], untranslated[order], [cell], sampling),
        _less("over_half_of_oracle_gain", _right(cell)[order], _mean(oracle, untranslated)[order], [cell], sampling),
        *([_relative(accuracy, undefended, cell, clean)] if cell.attack and undefended else []),
    ]


def _mean(first: Array, second: Array) -> Array:
    return np.asarray((first.astype(np.float64) + second) / 2)


def _relative(accuracy: MetricRow, undefended: float, cell: Cell, clean: Cell) -> MetricRow:
    """Return the accuracy and its interval over the clean accuracy of the undefended network."""
    assert accuracy.resampled is not None  # of a rate
    interval = from_samples(
        accuracy.value / undefended, accuracy.resampled.samples / undefended, accuracy.resampled.drawn_from, PLAIN
    )
    return row(
        "relative_robustness",
        interval,
        cell=cell,
        n=accuracy.n,
        files=[cell, clean],
        threat_model=accuracy.threat,
        unit="ratio",
    )


def _protected(cell: Cell) -> str:
    return seedless(str(cell.settings["protects"]))


def _falls(cell: Cell, group: list[Cell], sampling: Sampling) -> list[MetricRow]:
    """Return by how much accuracy is lower than under attacks on the protected network alone, of the same budget."""
    if not white_box(cell):
        return []
    return [
        _less(_fall(other), _right_on(other, cell), _right_on(cell, other), [cell, other], sampling)
        for other in group
        if _on_bare_network(other) and equal_budgets(other, cell)
    ]


def _fall(cell: Cell) -> str:
    return f"fall_from_{cell.attack}_on_{_protected(cell)}"


def _on_bare_network(cell: Cell) -> bool:
    """Return whether the attack was made on the protected network alone."""
    return cell.victim == cell.settings.get("protects") and not cell.translator


def _right_on(cell: Cell, other: Cell) -> Array:
    """Return which images are right, in the order of their ids, which must equal those of the other cell."""
    order = np.argsort(cell.noun.example_ids)
    if not np.array_equal(cell.noun.example_ids[order], np.sort(other.noun.example_ids)):
        raise ValueError(f"{cell.file} and {other.file} are not of the same images")
    return _right(cell)[order]


def _routes(cell: Cell, clean: Cell, router: Cell, calibration: Cell, sampling: Sampling) -> list[MetricRow]:
    scores, order = _scores(cell), np.argsort(cell.noun.example_ids)
    rate = f"{router.settings['false_positive_rate']:g}"
    threshold = of_detector(router.noun, calibration.noun, **sampling)[rate]
    seed = sampling["seed"]
    new = partial(row, cell=cell, n=len(scores), files=[cell, router, calibration])
    routed = cell.noun.features["routed"] > 0
    share = share_at(threshold, scores, below=False, above=True, value=float(routed.mean()), seed=seed)
    excess = less_threshold(threshold, scores, seed=seed, unit=router.noun.spread)
    excess_row = new("routing_excess", excess, unit="spreads")
    if not cell.attack:
        return [excess_row, new("false_routing_rate", share)]
    wrong = ~_right(cell, "untranslated")[order]
    past = share_at(
        threshold, scores, below=wrong, above=False, value=float((~_right(cell) & ~routed).mean()), seed=seed
    )
    auroc = rank_intervals.detection(_scores(clean), scores, **sampling, paired=are_pairs(clean, cell))["auroc"]
    attacked = len(scores) / (len(scores) + len(clean.noun.example_ids))
    files = [clean, cell]
    return [
        excess_row,
        new("routing_rate", share),
        new(f"evasion_rate_at_{rate}", past),
        row("router_auroc", auroc, cell=cell, n=sum(len(one.noun.labels) for one in files), unit="",
            base_rate=attacked, files=files),
    ]  # fmt: skip


def _worst(union: Union, detectors: list[Cell], calibration_scores: list[Cell], sampling: Sampling) -> list[MetricRow]:
    """Return accuracy and evasion against the worst of all attacks tried; the known ones are those on the whole defence."""
    tried, known = union.attacks, union.known
    ids = np.sort(known[0].noun.example_ids)
    about: dict[str, Any] = {"examples": union.place, "threat_model": union.threat}

    def new(metric: str, hits: Array, among: Array | None = None) -> MetricRow:
        return rate_row(metric, hits, known[0], among=among, ids=ids, files=tried, **about)

    def in_order(values: Callable[[Cell], Array], cells: list[Cell]) -> list[Array]:
        return [values(cell)[rows_of(cell.noun.example_ids, ids, cell.file)] for cell in cells]

    wrong, by_known = (np.any(in_order(lambda cell: ~_right(cell), cells), axis=0) for cells in (tried, known))
    rows = [
        new("accuracy", ~wrong),
        *against_oblivious("worse_than_oblivious", _rates(lambda cell: ~_right(cell), tried), tried, known),
    ]
    if wrong.any():
        rows.append(new("oblivious_only_share", ~by_known, among=wrong))
    rows += [
        _less(_fall(other), in_order(_right, [other])[0], ~wrong, [known[0], *tried], sampling, **about)
        for other in filter(_on_bare_network, tried)
    ]
    if "routing_score" not in known[0].noun.features:
        return rows
    router, calibration = _router(detectors, known[0]), _router(calibration_scores, known[0])
    rate = f"{router.settings['false_positive_rate']:g}"
    threshold = of_detector(router.noun, calibration.noun, **sampling)[rate]
    rows += against_oblivious("evades_less_than_oblivious", _rates(_evades_router, tried), tried, known)
    past, by_known = (np.any(in_order(_evades_router, cells), axis=0) for cells in (tried, known))
    # The threshold at and above which at least one of the attacks gets past.
    reach = np.minimum.reduce(in_order(_evasion_threshold, tried))
    share = share_at(threshold, reach, below=True, above=False, value=float(past.mean()), seed=sampling["seed"])
    files = [*tried, router, calibration]
    rows.append(row(f"evasion_rate_at_{rate}", share, cell=known[0], n=len(ids), files=files, **about))
    if past.any():
        rows.append(new(f"oblivious_only_share_at_{rate}", ~by_known, among=past))
    return rows


def _rates(succeeds: Callable[[Cell], Array], tried: list[Cell]) -> dict[str, float]:
    """Return {file: the share of images on which that attack succeeds}."""
    return {cell.file: float(succeeds(cell).mean()) for cell in tried}


def _evades_router(cell: Cell) -> Array:
    return np.asarray(~_right(cell) & (cell.noun.features["routed"] <= 0))


def _evasion_threshold(cell: Cell) -> Array:
    """Return the router's score where the untranslated path is wrong; infinity where it is right."""
    return np.where(_right(cell, "untranslated"), np.inf, cell.noun.features["routing_score"])


def _scores(cell: Cell) -> Array:
    ids = cell.noun.example_ids
    return np.asarray(cell.noun.features["routing_score"][rows_of(ids, np.sort(ids), cell.file)], dtype=np.float64)
