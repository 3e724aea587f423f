"""By how much one error rate exceeds another on the same inputs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from touchstone.contracts import NonNegativeInt, PositiveInt
from touchstone.evaluations._unions import unions
from touchstone.evaluations.statistics import intervals
from touchstone.evaluations.statistics.estimators import correct
from touchstone.evaluations.statistics.pairing import partner
from touchstone.evaluations.statistics.rows import grouped, rate_row, row, rows_of, with_means
from touchstone.evaluations.statistics.seed_intervals import SIGNED
from touchstone.evaluations.statistics.threats import equal_budgets, network, seedless, white_box
from touchstone.records.metric_tables import MetricRow
from touchstone.records.nouns import Cell

METRICS = ("error_minus_*", "worst_error", "worst_error_minus_*")
UNIT = "difference of fractions"


def paired_errors(
    outputs: list[Cell],
    *,
    against: list[str] = [],  # noqa: B006 - a literal that the registry reads; never written to
    resamples: PositiveInt = 1000,
    bootstrap_seed: NonNegativeInt = 0,
) -> list[MetricRow]:
    """Compare error rates on the same inputs, paired input by input.

    Args:
        outputs: of classifiers on clean and attacked sets, on the 1/255 grid.
        against: classifiers and attacks whose errors are subtracted.

    Returns:
        Differences of error rates per classifier seed and set, then means over seeds. The bootstrap interval is that of
        the difference itself. Metrics, the error minus

        - error_minus_CLASSIFIER: that of a classifier in `against` on the same set, each under the attack on itself;
          the same seed, or the only one.
        - error_minus_ATTACK: that of the same classifier under an attack in `against` with equal norm and eps.
        - error_minus_own: under an attack made on another classifier, that under the attack made on itself;
          error_minus_from_VICTIM is the reverse.
        - error_minus_back: under an attack made on another classifier, that of the other under the attack made on this one.
        - error_minus_CLASSIFIER_on_itself: under an attack made on another classifier, that of a classifier in `against`
          under the same attack made on itself. The two attackers know different things.
        - error_minus_CLASSIFIER_under_ATTACK: that of a classifier in `against` under another attack on itself with
          equal norm and eps. It is given if no attack was made on both: an attack on a defence cannot be made on a bare
          network.

    Raises:
        ValueError: no outputs have a name in `against`, or the inputs differ.

    References:
        docs/verdicts.md, "Intervals".
    """
    names = {cell.entry for cell in outputs} | {cell.attack for cell in outputs}
    if missing := sorted(set(against) - names):
        raise ValueError(f"no outputs of or under {missing[0]}")
    rows = []
    for name, one, other in _pairs([cell for cell in outputs if not cell.translator], against):
        ids = np.sort(one.noun.example_ids)
        first, second = (_wrong(cell, ids) for cell in (one, other))
        interval = intervals.mean(first - second, resamples=resamples, seed=bootstrap_seed, method=SIGNED)
        rows.append(row(f"error_minus_{name}", interval, cell=one, n=len(ids), unit=UNIT, files=[one, other]))
    rows += _of_worst(outputs, against, resamples, bootstrap_seed)
    return with_means(rows)


def _of_worst(outputs: list[Cell], against: list[str], resamples: int, seed: int) -> list[MetricRow]:
    """Return the errors of defences and of the classifiers beside them under the worst of all attacks, and differences."""
    groups = grouped(outputs, lambda cell: (network(cell), cell.examples)).values()
    found = {
        (union.known[0].entry, union.known[0].seed, union.place): union
        for g in groups
        for union in unions(g, white_box)
    }
    rows: dict[tuple[str, int | None, str], MetricRow] = {}
    differences = []
    for (entry, own, where), union in found.items():
        for base in against if "protects" in union.known[0].settings else ():
            seeds = {key[1]: other for key, other in found.items() if (key[0], key[2]) == (base, where)}
            if entry == base or not seeds or (other := partner(seeds, own)) is None:
                continue
            ids = np.sort(union.known[0].noun.example_ids)
            wrong = [np.max([_wrong(cell, ids) for cell in one.attacks], axis=0) for one in (union, other)]
            for one, errors in zip((union, other), wrong, strict=True):
                about: dict[str, Any] = {"examples": one.place, "threat_model": one.threat, "files": one.attacks}
                known = one.known[0]
                rows[known.entry, known.seed, one.place] = rate_row("worst_error", errors > 0, known, ids=ids, **about)
            interval = intervals.mean(wrong[0] - wrong[1], resamples=resamples, seed=seed, method=SIGNED)
            differences.append(
                row(f"worst_error_minus_{base}", interval, cell=union.known[0], n=len(ids), unit=UNIT, examples=where,
                    threat_model=union.threat, files=[*union.attacks, *other.attacks])
            )  # fmt: skip
    return [*rows.values(), *differences]


def _wrong(cell: Cell, ids: np.ndarray) -> np.ndarray:
    if len(ids) != len(cell.noun.example_ids):
        raise ValueError(f"{cell.file} holds {len(cell.noun.example_ids)} inputs, expected the same {len(ids)}")
    wrong = ~correct(cell.noun.predictions, cell.noun.labels)
    return np.asarray(wrong[rows_of(cell.noun.example_ids, ids, cell.file)].astype(np.float64))


def _under_other_attacks(own: list[Cell], against: list[str]) -> Iterator[tuple[str, Cell, Cell]]:
    """Yield pairs of classifiers each under an attack on itself that was not made on the other one."""
    made = {(cell.entry, cell.examples, cell.attack) for cell in own}
    for cell in own:
        others = grouped(
            (
                other
                for other in own
                if other.entry in against
                and other.entry != cell.entry
                and other.examples == cell.examples
                and not {(cell.entry, cell.examples, other.attack), (other.entry, cell.examples, cell.attack)} & made
                and equal_budgets(other, cell)
            ),
            lambda other: (other.entry, other.attack),
        )
        for (entry, attack), group in others.items():
            if other := partner({other.seed: other for other in group}, cell.seed):
                yield f"{entry}_under_{attack}", cell, other


def _pairs(outputs: list[Cell], against: list[str]) -> Iterator[tuple[str, Cell, Cell]]:
    """Yield (name of what is subtracted, cell, the cell that is subtracted from it), in the metric's words."""
    own = [cell for cell in outputs if cell.victim in ("", network(cell))]
    for group in grouped(own, lambda cell: (cell.examples, cell.attack)).values():
        for base in against:
            seeds = {cell.seed: cell for cell in group if cell.entry == base}
            for cell in group if seeds else []:
                if cell.entry != base and (other := partner(seeds, cell.seed)):
                    yield base, cell, other
    yield from _under_other_attacks([cell for cell in own if cell.attack], against)
    for group in grouped(outputs, lambda cell: (network(cell), cell.examples, cell.victim)).values():
        for base in against:
            for other in (cell for cell in group if cell.attack == base):
                yield from ((base, cell, other) for cell in group if cell.attack != base and equal_budgets(cell, other))
    for group in grouped(outputs, lambda cell: (network(cell), cell.examples, cell.attack)).values():
        for mine in (cell for cell in group if cell.attack and cell.victim == network(cell)):
            for cell in (cell for cell in group if cell is not mine):
                yield "own", cell, mine
                yield f"from_{seedless(cell.victim)}", mine, cell
    transferred = [cell for cell in outputs if cell.victim not in ("", network(cell))]
    there = {(network(cell), cell.victim, cell.examples, cell.attack): cell for cell in transferred}
    for cell in transferred:
        for base in against:
            same = [
                other
                for other in own
                if (other.entry, other.examples, other.attack) == (base, cell.examples, cell.attack)
            ]
            seeds = {other.seed: other for other in same}
            if same and cell.entry != base and (other := partner(seeds, cell.seed)):
                yield f"{base}_on_itself", cell, other
    for cell in transferred:
        if back := there.get((cell.victim, network(cell), cell.examples, cell.attack)):
            yield "back", cell, back
