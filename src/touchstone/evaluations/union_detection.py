"""What is left of each score if every image faces all points that were made against any score of its network."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from touchstone.contracts import NonNegativeInt, PositiveInt
from touchstone.evaluations._score_unions import Auroc, Key, ScoreUnion
from touchstone.evaluations.statistics.intervals import Interval, from_samples
from touchstone.evaluations.statistics.rows import grouped, rate_row, row, with_means
from touchstone.evaluations.statistics.seed_intervals import SCORE, SIGNED
from touchstone.messages import nearest
from touchstone.records.metric_rows import Threat
from touchstone.records.metric_tables import MetricRow
from touchstone.records.nouns import Cell

METRICS = (
    "auroc_clean", "auroc_union", "auroc_alone_*", "taken_by_*", "auroc_union_difference", "choice_auroc", "clean_accuracy",
)  # fmt: skip
BEST = "best"  # in place of the name of a detector: the one that a kind of network is judged by
BEFORE = "before"  # in place of the name of a kind of network: the best of those in `before`
UNION = "union"  # in place of the name of an attack


def union_detection(
    crossed_scores: list[Cell],
    outputs: list[Cell],
    *,
    id_examples: list[str],
    choice_id: list[str],
    choice_sets: list[str],
    leaders: list[str] = [],  # noqa: B006 - read as a setting, never changed
    before: list[str] = [],  # noqa: B006 - read as a setting, never changed
    checked: list[str] = [],  # noqa: B006 - read as a setting, never changed
    alone: list[str] = [],  # noqa: B006 - read as a setting, never changed
    resamples: PositiveInt = 1000,
    bootstrap_seed: NonNegativeInt = 0,
) -> list[MetricRow]:
    """Measure each score on the worst point of each image, of all points that were made against any of the scores.

    An attack on one score can be the strongest on another. So each image, known or not, is scored at its clean version and
    at the points of all attacks on all detectors of its network, and the worst for the score counts: the highest of a known
    image, the lowest of any other.

    Each kind of network has one score that it is judged by, the one whose mean AUROC under the union is highest on the sets
    of the choice. Of several kinds in `before`, the best on these sets is what a leader has to beat.

    Networks, detectors and sets whose names differ only in a number at the end, such as cnn_aloe_0 and cnn_aloe_1, are of
    one kind. They belong to random splits of the classes. Rows name a kind by its first name.

    Args:
        crossed_scores: of each network and detector on clean sets, and on the points of each attack: on each detector, or
            on the network by itself.
        outputs: of each network on the known images.
        id_examples: the known images; every network has one of these sets.
        choice_id, choice_sets: known images and other images on which the score of each kind is chosen. They share no
            image with the sets that are judged, which are all others.
        leaders: networks that are compared with every other kind, and with the best of `before`.
        before: networks that were there before.
        checked: attacks of which is measured how much they take that all others left.
        alone: attacks of which is measured what they leave by themselves.

    Returns:
        Rows per network, then means over seeds. The entry is NETWORK+DETECTOR, or NETWORK+best; that of the best in
        `before` is before+best. n counts known and other images.

        - auroc_clean, on SET: nothing is attacked. auroc_union, on SET/union: both sides are.
        - auroc_alone_ATTACK and taken_by_ATTACK, on SET/union, of the best score: what this attack leaves by itself, and
          by how much less the union leaves than all other attacks do.
        - auroc_union_difference, on "SET/union less OTHER", of a leader: its best score minus that of another kind or
          of the best before, paired by image.
        - choice_auroc: the mean AUROC under the union over `choice_sets`.
        - clean_accuracy, of NETWORK on the known images.

        Images are resampled for the intervals, known and other ones separately; all networks get the same resamples, also if
        each knows other classes.

    Raises:
        ValueError: scores are missing, networks of one kind have other detectors, attacks differ in norm or eps,
            `checked` or `alone` names an attack that was not made, or a judged set is one of the choice.

    References:
        The worst case per image: docs/papers/shared.md, "Checks of an attack", item 7; docs/papers/aloe.md, "Union of
        attacks".
    """
    kinds = _kinds(crossed_scores)
    known, chosen_on, known_at_choice = (_named(each, kinds) for each in (id_examples, choice_sets, choice_id))
    if both := known & known_at_choice:
        raise ValueError(f"{', '.join(sorted(both))} is judged, so no score may be chosen on it")
    union = ScoreUnion(crossed_scores, kinds, resamples, bootstrap_seed)
    for setting, names in (("checked", checked), ("alone", alone)):
        if unknown := sorted(set(names) - union.attacks):
            made = sorted(union.attacks)
            hint = nearest(unknown[0], made)
            raise ValueError(
                f"{setting} names {unknown[0]}, which made no points; name one of {', '.join(made)}.{hint}"
            )
    judged = [name for name in union.sets if name not in known | chosen_on | known_at_choice]
    if not judged or not chosen_on:
        raise ValueError("expected sets that are judged, and others to choose a score on")
    (first,), (first_at_choice,) = known, known_at_choice
    rows: list[MetricRow] = []
    tried: dict[tuple[str, str], list[float]] = {}
    for key in union.keys:
        at_choice = [union.auroc(key, (first_at_choice, name)) for name in sorted(chosen_on)]
        tried.setdefault((key[0], key[2]), []).append(float(np.mean([one.value for one in at_choice])))
        rows.append(_choice(key, at_choice, union.threat))
        rows += _measured(union, key, judged, first, key[0], key[2])
    means = {pair: float(np.mean(values)) for pair, values in tried.items()}
    best = {kind: _best(means, [kind]) for kind, _ in means}
    nets = list(dict.fromkeys(key[:2] for key in union.keys))
    best_before = _best(means, _named(before, kinds)) if before else None
    for kind, seed in nets:
        key = (kind, seed, best[kind][1])
        rows += _measured(union, key, judged, first, kind, BEST)
        for name in judged:
            rows += [_taken(union, key, first, name, attack) for attack in checked]
            rows += [_alone(union, key, first, name, attack) for attack in alone]
        if best_before and kind == best_before[0]:
            rows += _measured(union, (kind, seed, best_before[1]), judged, first, BEFORE, BEST)
    for leader in _named(leaders, kinds):
        for kind, seed in nets:
            if kind == leader:
                own = (leader, seed, best[leader][1])
                others = {
                    other: (other, seed, best[other][1]) for other, its in nets if other != leader and its == seed
                }
                if best_before and (best_before[0], seed) in nets:
                    others[BEFORE] = (best_before[0], seed, best_before[1])
                for name, other in others.items():
                    rows += [_difference(union, own, other, first, one, name) for one in judged]
    clean = [cell for cell in outputs if not cell.attack and not cell.translator and cell.examples in id_examples]
    rows += _clean_accuracies(clean, kinds, first) if clean else []
    return with_means(rows)


def _kinds(cells: Iterable[Cell]) -> dict[str, str]:
    """Return {name: the first name of its kind} of all networks, detectors and sets."""
    names = {name for cell in cells for name in (cell.entry, cell.detector, cell.examples)}
    members = grouped(sorted(names), lambda name: re.sub(r"_\d+$", "", name))
    return {name: min(alike, key=_number) for alike in members.values() for name in alike}


def _number(name: str) -> tuple[int, str]:
    return int(re.search(r"\d*$", name)[0] or 0), name  # type: ignore[index]  # it matches every name


def _named(names: Iterable[str], kinds: dict[str, str]) -> set[str]:
    if unknown := sorted(set(names) - kinds.keys()):
        raise ValueError(f"no scores of {', '.join(unknown)}")
    return {kinds[name] for name in names}


def _best(means: dict[tuple[str, str], float], kinds: Iterable[str]) -> tuple[str, str]:
    """Return the kind and the detector with the highest mean of all of some kinds; of equal ones the first by name."""
    return min((pair for pair in means if pair[0] in set(kinds)), key=lambda pair: (-means[pair], pair))


def _clean_accuracies(cells: list[Cell], kinds: dict[str, str], known: str) -> Iterator[MetricRow]:
    """Yield the accuracy of each network on the images that it knows; resampled are those that any network knows."""
    _named((cell.entry for cell in cells), kinds)  # each has scores
    ids = np.unique(np.concatenate([cell.noun.example_ids for cell in cells]))
    for cell in cells:
        right = cell.noun.example_ids[cell.noun.predictions == cell.noun.labels]
        hits, among = np.isin(ids, right), np.isin(ids, cell.noun.example_ids)
        yield rate_row("clean_accuracy", hits, cell, among=among, ids=ids, entry=kinds[cell.entry], examples=known)


def _measured(
    union: ScoreUnion, key: Key, judged: list[str], known: str, kind: str, detector: str
) -> Iterator[MetricRow]:
    """Yield the rows of one score on each set, clean and under the union, as those of a kind and a detector."""
    entry = f"{kind}+{detector}"
    for name in judged:
        clean, worst = union.auroc(key, (known, name), frozenset()), union.auroc(key, (known, name))
        yield _row("auroc_clean", _interval(clean), [clean], entry, name, Threat())
        yield _row("auroc_union", _interval(worst), [worst], entry, f"{name}/{UNION}", union.threat)


def _interval(one: Auroc) -> Interval:
    return from_samples(one.value, one.samples, one.drawn_from, SCORE)


def _choice(key: Key, aurocs: list[Auroc], threat: Threat) -> MetricRow:
    value, samples = float(np.mean([one.value for one in aurocs])), np.mean([one.samples for one in aurocs], axis=0)
    drawn_from = (aurocs[0].drawn_from[0], *(one.drawn_from[1] for one in aurocs))
    names = " and ".join(one.sides[1].cells[0].examples for one in aurocs)
    interval = from_samples(value, samples, drawn_from, SCORE)
    return _row("choice_auroc", interval, aurocs, f"{key[0]}+{key[2]}", f"{names}/{UNION}", threat)


def _taken(union: ScoreUnion, key: Key, known: str, name: str, attack: str) -> MetricRow:
    whole, rest = union.auroc(key, (known, name)), union.auroc(key, (known, name), union.attacks - {attack})
    interval = from_samples(rest.value - whole.value, rest.samples - whole.samples, whole.drawn_from, SIGNED)
    entry, place = f"{key[0]}+{BEST}", f"{name}/{UNION}"
    return _row(f"taken_by_{attack}", interval, [whole], entry, place, union.threat, "difference")


def _alone(union: ScoreUnion, key: Key, known: str, name: str, attack: str) -> MetricRow:
    one = union.auroc(key, (known, name), frozenset({attack}))
    names = tuple(each for each in union.threat.worst_of if each.endswith(f"/{attack}"))
    threat = replace(union.threat, worst_of=names)
    return _row(f"auroc_alone_{attack}", _interval(one), [one], f"{key[0]}+{BEST}", f"{name}/{UNION}", threat)


def _difference(union: ScoreUnion, own: Key, other: Key, known: str, name: str, called: str) -> MetricRow:
    mine, theirs = union.auroc(own, (known, name)), union.auroc(other, (known, name))
    interval = from_samples(mine.value - theirs.value, mine.samples - theirs.samples, mine.drawn_from, SIGNED)
    place = f"{name}/{UNION} less {called}"
    return _row(
        "auroc_union_difference", interval, [mine, theirs], f"{own[0]}+{BEST}", place, union.threat, "difference"
    )


def _row(
    metric: str, interval: Interval, aurocs: list[Auroc], entry: str, place: str, threat: Threat, unit: str = ""
) -> MetricRow:
    sides = {side.cells[0].examples: side for one in aurocs for side in one.sides}
    sizes = [len(side.scores) for side in sides.values()]
    cells = [cell for one in aurocs for side in one.sides for cell in side.cells]
    rate = 1 - sizes[0] / sum(sizes)
    return row(
        metric, interval, cell=cells[0], entry=entry, examples=place, threat_model=threat, n=sum(sizes), files=cells,
        unit=unit, base_rate=rate,
    )  # fmt: skip
