"""What a router and its translators do to accuracy, and what gets past them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from touchstone.contracts import NonNegativeInt, PositiveInt
from touchstone.records.metric_rows import MetricRow
from touchstone.records.nouns import Cell
from touchstone.statistics import intervals
from touchstone.statistics.estimators import Array, correct
from touchstone.statistics.rows import clean_outputs, grouped, only, rate_row, row, rows_of, with_means
from touchstone.statistics.threats import budget, network, seedless, white_box


def routing(
    outputs: list[Cell],
    detectors: list[Cell],
    *,
    resamples: PositiveInt = 1000,
    bootstrap_seed: NonNegativeInt = 0,
) -> list[MetricRow]:
    """Return rows per defence, seed and set, and their means over seeds.

    outputs: of each defence on clean and attacked sets; detectors: the routers, with their thresholds. Metrics:
    accuracy, of the pipeline as deployed; untranslated_accuracy and translated_accuracy, of either path taken by every
    image; oracle_accuracy, of a router that no one has: it translates attacked sets whole and clean ones not at all, and
    is an upper bound, never the defence. relative_robustness: accuracy over the clean accuracy of the undefended network
    (papers.md 5.b; secondary, for it punishes clean errors twice). With a router: false_routing_rate of clean sets; of
    attacked ones routing_rate, router_auroc against the clean set, and evasion_rate_at_F, the share of all inputs that
    are misclassified and not routed at the threshold of false-positive rate F; routing_excess, the mean of score minus
    threshold in spreads of the calibration scores.

    Differences of accuracy, paired image by image (papers.md 6.2): translation_gain, of the translated and the
    untranslated path; accuracy_minus_NETWORK, of the pipeline and the bare network that it protects; and under an attack
    on the pipeline itself fall_from_ATTACK_on_NETWORK, of that attack on the bare network and this one, where norm and eps
    are the same: what knowing the defence is worth.

    Rates have exact binomial intervals, the rest bootstrap ones. papers.md 5.h, 6.4. ValueError for outputs of
    networks, where a clean set or a router is missing, and where two attacks are not on the same images.
    """
    sampling = {"resamples": resamples, "seed": bootstrap_seed}
    rows: list[MetricRow] = []
    for group in grouped(outputs, lambda cell: (network(cell), cell.examples)).values():
        for cell in group:
            if "routed" not in cell.noun.features:
                raise ValueError(f"{cell.file}: outputs of a network; routing is about defences")
            clean = clean_outputs(group, cell)
            rows += _accuracies(cell, clean, sampling)
            rows += _falls(cell, group, sampling)
            if "routing_score" in cell.noun.features:
                rows += _routes(cell, clean, _router(detectors, cell), sampling)
    return with_means(rows)


def _router(detectors: list[Cell], cell: Cell) -> Cell:
    return only((found for found in detectors if network(found) == network(cell)), f"the router of {network(cell)}")


def _right(cell: Cell, path: str = "") -> Array:
    """Return per row whether the pipeline, or one of its paths, is right."""
    predictions = cell.noun.features[path].argmax(axis=1) if path else cell.noun.predictions
    return correct(predictions, cell.noun.labels)


def _less(metric: str, first: Array, second: Array, files: list[Cell], sampling: dict[str, int]) -> MetricRow:
    """Return the row of the first share of right predictions less the second, both in the order of their ids."""
    interval = intervals.mean(first.astype(np.float64) - second, **sampling)
    return row(metric, interval, cell=files[0], n=len(first), unit="difference of fractions", files=files)


def _accuracies(cell: Cell, clean: Cell, sampling: dict[str, int]) -> list[MetricRow]:
    untranslated, translated = _right(cell, "untranslated"), _right(cell, "translated")
    order = np.argsort(cell.noun.example_ids)
    bare = f"accuracy_minus_{_protected(cell)}"
    undefended = float(_right(clean, "untranslated").mean())
    accuracy = rate_row("accuracy", _right(cell), cell)
    return [
        accuracy,
        rate_row("untranslated_accuracy", untranslated, cell),
        rate_row("translated_accuracy", translated, cell),
        rate_row("oracle_accuracy", translated if cell.attack else untranslated, cell),
        _less("translation_gain", translated[order], untranslated[order], [cell], sampling),
        _less(bare, _right(cell)[order], untranslated[order], [cell], sampling),
        *([_relative(accuracy, undefended, clean)] if cell.attack and undefended else []),
    ]


def _relative(accuracy: MetricRow, undefended: float, clean: Cell) -> MetricRow:
    """Return the accuracy and its interval over the clean accuracy of the undefended network."""
    low, high = (None if end is None else end / undefended for end in (accuracy.low, accuracy.high))
    files = tuple(dict.fromkeys([*accuracy.files, clean.file]))
    value = accuracy.value / undefended
    return replace(accuracy, metric="relative_robustness", unit="ratio", value=value, low=low, high=high, files=files)


def _protected(cell: Cell) -> str:
    return seedless(str(cell.settings["protects"]))


def _falls(cell: Cell, group: list[Cell], sampling: dict[str, int]) -> list[MetricRow]:
    """Return by how much accuracy is lower than under attacks on the protected network alone, of the same budget."""
    if not white_box(cell):
        return []
    bare = f"on_{_protected(cell)}"
    return [
        _less(
            f"fall_from_{other.attack}_{bare}", _right_on(other, cell), _right_on(cell, other), [cell, other], sampling
        )
        for other in group
        if other.victim == other.settings["protects"] and not other.translator and budget(other) == budget(cell)
    ]


def _right_on(cell: Cell, other: Cell) -> Array:
    """Return which images are right, in the order of their ids, which have to be those of the other cell."""
    order = np.argsort(cell.noun.example_ids)
    if not np.array_equal(cell.noun.example_ids[order], np.sort(other.noun.example_ids)):
        raise ValueError(f"{cell.file} and {other.file} are not of the same images")
    return _right(cell)[order]


def _routes(cell: Cell, clean: Cell, router: Cell, sampling: dict[str, int]) -> list[MetricRow]:
    routed, scores = cell.noun.features["routed"] > 0, cell.noun.features["routing_score"].astype(np.float64)
    rate = f"{router.settings['false_positive_rate']:g}"
    excess = (scores - router.noun.thresholds[rate]) / router.noun.spread
    mean = intervals.mean(excess[np.argsort(cell.noun.example_ids)], **sampling)
    found = [row("routing_excess", mean, cell=cell, n=len(scores), unit="spreads", files=[cell, router])]
    if not cell.attack:
        return [*found, rate_row("false_routing_rate", routed, cell)]
    auroc = intervals.detection(_scores(clean), _scores(cell), **sampling)["auroc"]
    share = len(scores) / (len(scores) + len(clean.noun.example_ids))
    files = [clean, cell]
    return [
        *found,
        rate_row("routing_rate", routed, cell),
        rate_row(f"evasion_rate_at_{rate}", ~_right(cell) & ~routed, cell),
        row("router_auroc", auroc, cell=cell, n=sum(len(one.noun.labels) for one in files), unit="",
            base_rate=share, files=files),
    ]  # fmt: skip


def _scores(cell: Cell) -> Array:
    ids = cell.noun.example_ids
    return np.asarray(cell.noun.features["routing_score"][rows_of(ids, np.sort(ids), cell.file)], dtype=np.float64)
