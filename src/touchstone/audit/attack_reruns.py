"""Run a recorded attack again on some images, and say which attacked images of a file are none that it returns.

An attack draws an image's random numbers by the image's id. So on a processor like the author's, every image comes out
again to the last bit. On another one, an image comes out otherwise where the attack hangs on the last bits. How often it
does is measured: the attack runs also with nudged weights. A file is contradicted if so many of its images are not what the
attack returns that what nudging changes does not explain them.

If nudging changes most images, or the attack ran on a GPU or draws random numbers, no comparison of images can tell. Then
only the numbers of images on which the attack succeeds are compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import comb, prod

import numpy as np
from scipy import special

from touchstone.audit.recomputation import Recomputation
from touchstone.audit.recorded_attacks import FIRST, RecordedAttack, run_together
from touchstone.pipeline.planning.parts import Task
from touchstone.records.nouns import Array

OTHER = 0.1  # of the longer change: two attacked images that are farther apart are not the same
TRIALS = 3  # runs with nudged weights
LOOK = 32  # images of a set that are attacked again, once one of the drawn ones came out otherwise
TRIED, COMPARED = 8, 128  # images of a set of which only successes count: at first, and if the attack does better here
FALSE_ALARM = 1e-5  # of such a look: of a hundred honest packs with a thousand sets each, at most one is accused


@dataclass(frozen=True)
class Rerun:
    """What an attack that was run again says about a file.

    Attributes:
        looked: How many of its images were attacked again.
        still: How many of all its images equal their clean ones.
        others: The places of those that the attack does not return.
        unmoved: The places of those among `others` that equal their clean image.
        fooled: The place of one among `others` on which the attack succeeds here and not in the file; None for none.
        contradicts: Whether they are more than another processor explains.
        by_success: Whether only the successes of the attack were compared.
    """

    looked: int
    still: int
    others: tuple[int, ...] = ()
    unmoved: tuple[int, ...] = ()
    fooled: int | None = None
    contradicts: bool = False
    by_success: bool = False


def apart(first: Array, second: Array, clean: Array) -> Array:
    """Return how far two versions of each image are from each other, in units of the longer of their changes.

    Args:
        first: (N, C, H, W).
        second: Likewise.
        clean: Likewise, before any change.

    Returns:
        (N,): 0 if they are equal, 1 if only one of them was changed.
    """
    pairs = ((first, second), (first, clean), (second, clean))
    between, *changes = (
        np.linalg.norm((one - other).astype(np.float64).reshape(len(clean), prod(clean.shape[1:])), axis=1)
        for one, other in pairs
    )
    distances: Array = between / np.maximum(np.maximum(*changes), 1e-9)
    return distances


def is_beyond(others: int, looked: int, nudged: int) -> bool:
    """Return whether more images come out otherwise than nudging explains, by Fisher's exact test.

    Args:
        others: Images of the file that the attack does not return.
        looked: Of how many.
        nudged: Runs with nudged weights, of `TRIALS` for each of these images, that return another image.
    """
    both = others + nudged
    tables = [comb(looked, k) * comb(TRIALS * looked, both - k) for k in range(others, min(looked, both) + 1)]
    # In whole numbers, which are too large for a float.
    return sum(tables) * round(1 / FALSE_ALARM) < comb(looked + TRIALS * looked, both)


def is_stronger(more: int, fewer: int) -> bool:
    """Return whether an attack succeeds here so often that it is not the one in the file, by the sign test.

    Args:
        more: Images on which only the attack here succeeds.
        fewer: Images on which only the file shows a success.
    """
    return more > 0 and bool(special.bdtrc(more - 1, more + fewer, 0.5) < FALSE_ALARM)


def reruns(reader: Recomputation, tasks: Sequence[Task], count: int, random: np.random.Generator) -> list[Rerun]:
    """Attack a sample of the images of files again that one attack made of several sets.

    Args:
        reader: Of the pack.
        tasks: Of the attack. They differ in their sets only.
        count: How many images of each; at least 1.
        random: Draws them. If images equal their clean ones, one of these is looked at, too.

    Raises:
        LeftOutError: An attacked set was left out.
    """
    attacks = [RecordedAttack(reader, task) for task in tasks]
    orders = [_drawn(attack, random) for attack in attacks]
    looks = [order[: count + bool(attack.still.any())] for attack, order in zip(attacks, orders, strict=True)]
    if not attacks[0].returns_equal:
        return [_compared_by_success(*each) for each in zip(attacks, orders, looks, strict=True)]
    odd = _odd(attacks, looks)
    return [
        Rerun(len(look), int(attack.still.sum())) if not len(rows) else _looked_closely(attack, order, look)
        for attack, order, look, rows in zip(attacks, orders, looks, odd, strict=True)
    ]


def _drawn(attack: RecordedAttack, random: np.random.Generator) -> Array:
    """Return the places of a set at random, (N,); one of an image that equals its clean one comes first."""
    order = random.permutation(len(attack.still))
    still = order[attack.still[order]]
    return np.array(list(dict.fromkeys([*still[:1], *order])))


def _odd(attacks: list[RecordedAttack], rows: list[Array]) -> list[Array]:
    """Return the rows of each set that the attack returns otherwise."""
    clean, stated = ([getattr(attack, each).images for attack in attacks] for each in ("clean", "stated"))
    if attacks[0].use in FIRST:
        for place, images in enumerate(run_together(attacks, rows, first=True)):
            look, attack = rows[place], attacks[place]
            ours, theirs = attack.successes(look, images)
            far = apart(stated[place][look], images, clean[place][look]) > OTHER
            rows = [*rows[:place], look[ours & (~theirs | far)], *rows[place + 1 :]]
    found = run_together(attacks, rows)
    return [
        look[apart(stated[place][look], images, clean[place][look]) > OTHER]
        for place, (look, images) in enumerate(zip(rows, found, strict=True))
    ]


def _looked_closely(attack: RecordedAttack, order: Array, look: Array) -> Rerun:
    """Look at more images of a set of which one came out otherwise."""
    more = order[: max(LOOK, len(look))]
    images, clean = attack.run(more), attack.clean.images[more]
    others = apart(attack.stated.images[more], images, clean) > OTHER
    nudged = int(np.sum([apart(attack.run(more, nudged=True), images, clean) > OTHER for _ in range(TRIALS)]))
    if is_beyond(len(more), len(more), nudged):  # a set of which all is false would be noticed
        return _found(attack, more, others, contradicts=is_beyond(int(others.sum()), len(more), nudged))
    return _compared_by_success(attack, order, look)


def _compared_by_success(attack: RecordedAttack, order: Array, look: Array) -> Rerun:
    """Compare only on which images the attack succeeds: first on a few, then, if it does better here, on more."""
    for most in (TRIED, COMPARED):
        rows = order[: max(most, len(look))]
        ours, theirs = attack.successes(rows, attack.run(rows))
        if not (ours & ~theirs).any():
            return Rerun(len(rows), int(attack.still.sum()), by_success=True)
    weak = is_stronger(int((ours & ~theirs).sum()), int((theirs & ~ours).sum()))
    return replace(_found(attack, rows, ours & ~theirs, contradicts=weak), by_success=True)


def _found(attack: RecordedAttack, rows: Array, others: Array, *, contradicts: bool) -> Rerun:
    places = rows[others]
    fooled = None
    if contradicts:
        ours, theirs = attack.successes(places, attack.run(places))
        fooled = next((int(place) for place in places[ours & ~theirs]), None)
    still = places[attack.still[places]]
    return Rerun(
        len(rows), int(attack.still.sum()), tuple(map(int, places)), tuple(map(int, still)), fooled, contradicts
    )
