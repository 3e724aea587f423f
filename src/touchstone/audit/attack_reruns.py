"""Run a recorded attack again on some images, and say which attacked images of a file are none that it returns.

An attack draws an image's random numbers by the image's id. So on a processor like the author's, every image comes out
again to the last bit. On another one, an image comes out otherwise where the attack hangs on the last bits. How often it
does is measured: the attack runs also with nudged weights. A file is contradicted if so many of its images are not what the
attack returns that what nudging changes does not explain them.

If nudging changes most images, or the attack ran on a GPU or draws random numbers, no comparison of images can tell. Then
only the numbers of images on which the attack succeeds are compared.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import comb
from typing import Any

import numpy as np
import torch
from scipy import special
from torch import Tensor

from touchstone import registry
from touchstone.attacks.adversary.defences import Guarded
from touchstone.audit.recomputation import Recomputation
from touchstone.numerics import tensors
from touchstone.pipeline.jobs.adapters import attacked_model
from touchstone.pipeline.planning.parts import Task
from touchstone.records.nouns import Array, ExampleSet

OTHER = 0.1  # of the longer change: two attacked images that are farther apart are not the same
TRIALS = 3  # runs with nudged weights
LOOK = 32  # images of a set that are attacked again, once one of the drawn ones came out otherwise
TRIED, COMPARED = 8, 128  # images of a set of which only successes count: at first, and if the attack does better here
FALSE_ALARM = 1e-5  # of such a look: of a hundred honest packs with a thousand sets each, at most one is accused
# The first attacks of a suite, which come before the rest: what they fool, the whole suite has fooled too.
FIRST = {"attacks/attack_suite": {"restarts": 3, "queries": 0}}


@dataclass(frozen=True)
class Rerun:
    """What an attack that was run again says about a file.

    Attributes:
        looked: How many of its images were attacked again.
        others: The places of those that the attack does not return.
        unmoved: The places of those among `others` that equal their clean image.
        fooled: The place of one among `others` on which the attack succeeds here and not in the file; None for none.
        contradicts: Whether they are more than another processor explains.
        by_success: Whether only the successes of the attack were compared.
    """

    looked: int
    others: tuple[int, ...] = ()
    unmoved: tuple[int, ...] = ()
    fooled: int | None = None
    contradicts: bool = False
    by_success: bool = False


def unmoved(attacked: ExampleSet, clean: ExampleSet) -> Array:
    """Return which attacked images equal their clean ones, (N,) bool."""
    same: Array = (attacked.images == clean.images).reshape(len(clean), -1).all(axis=1)
    return same


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
        np.linalg.norm((one - other).reshape(len(clean), -1).astype(np.float64), axis=1) for one, other in pairs
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
    return sum(tables) < FALSE_ALARM * comb(looked + TRIALS * looked, both)


def is_stronger(more: int, fewer: int) -> bool:
    """Return whether an attack succeeds here so often that it is not the one in the file, by the sign test.

    Args:
        more: Images on which only the attack here succeeds.
        fewer: Images on which only the file shows a success.
    """
    return more > 0 and bool(special.bdtrc(more - 1, more + fewer, 0.5) < FALSE_ALARM)


def rerun(reader: Recomputation, task: Task, count: int, random: np.random.Generator) -> Rerun:
    """Attack a sample of the images of a file again.

    Args:
        reader: Of the pack.
        task: The attack.
        count: How many images; at least 1.
        random: Draws them. If images equal their clean ones, one of these is looked at, too.

    Raises:
        LeftOutError: The attacked set was left out.
    """
    again = _Again(reader, task)
    order = random.permutation(len(again.stated))
    still = order[again.still[order]]
    order = np.array(list(dict.fromkeys([*still[:1], *order])))
    count += bool(len(still))
    if again.returns_equal:
        if not len(again.odd(order[:count])):
            return Rerun(len(order[:count]))
        more = order[: max(LOOK, count)]
        others, nudged = again.otherwise(more)
        if is_beyond(len(more), len(more), nudged):  # a set of which all is false would be noticed
            return _found(again, more, others, contradicts=is_beyond(int(others.sum()), len(more), nudged))
    return replace(_compared_by_success(again, order, count), by_success=True)


def _compared_by_success(again: _Again, order: Array, count: int) -> Rerun:
    """Compare only on which images the attack succeeds: first on a few, then, if it does better here, on more."""
    for most in (TRIED, COMPARED):
        rows = order[: max(most, count)]
        ours, theirs = again.successes(rows, again.run(rows))
        if not (ours & ~theirs).any():
            return Rerun(len(rows))
    weak = is_stronger(int((ours & ~theirs).sum()), int((theirs & ~ours).sum()))
    return _found(again, rows, ours & ~theirs, contradicts=weak)


def _found(again: _Again, rows: Array, others: Array, *, contradicts: bool) -> Rerun:
    places = rows[others]
    fooled = None
    if contradicts:
        ours, theirs = again.successes(places, again.run(places))
        fooled = next((int(place) for place in places[ours & ~theirs]), None)
    still = places[again.still[places]]
    return Rerun(len(rows), tuple(map(int, places)), tuple(map(int, still)), fooled, contradicts)


class _Again:
    """An attack, the file that states what it returned, and the same attack run here.

    Attributes:
        stated: The attacked set in the file.
        clean: The set before the attack.
        still: Which of its images equal the clean ones, (N,) bool.
    """

    def __init__(self, reader: Recomputation, task: Task) -> None:
        self.reader, self.task = reader, task
        self.stated: ExampleSet = reader.noun(task.output, "ExampleSet")
        self.clean: ExampleSet = reader.noun(str(task.inputs["examples"]), "ExampleSet")
        self.still = unmoved(self.stated, self.clean)
        self.job = reader.job(task)

    @property
    def returns_equal(self) -> bool:
        """Whether the attack returns the same image here, up to what another processor changes.

        Not on a GPU, nor if the network draws random numbers, which depend on the images before an image.
        """
        devices = {str(self.reader.device), str(self.task.settings.get("device", "cpu"))}
        return devices == {"cpu"} and "draws" not in self.task.settings

    @property
    def _use(self) -> str:
        return str(self.task.settings["component"]["use"])

    def run(self, rows: Array, *, nudged: bool = False, first: bool = False) -> Array:
        """Return what the attack returns for some rows, (K, C, H, W).

        Args:
            rows: Their places.
            nudged: Whether the weights of its networks are nudged.
            first: Whether only the first attacks of a suite run.
        """
        task = self.task
        if first:
            block = task.settings["component"]
            less = {name: min(value, block[name]) for name, value in FIRST[self._use].items()}
            task = replace(task, settings=task.settings | {"component": block | less})
        images: Array = self.reader.compute(task, rows, nudged=nudged).images
        return images

    def odd(self, rows: Array) -> Array:
        """Return the rows that the attack returns otherwise."""
        stated, clean = self.stated.images, self.clean.images
        if self._use in FIRST:
            images = self.run(rows, first=True)
            ours, theirs = self.successes(rows, images)
            rows = rows[ours & (~theirs | (apart(stated[rows], images, clean[rows]) > OTHER))]
            if not len(rows):
                return rows
        return rows[apart(stated[rows], self.run(rows), clean[rows]) > OTHER]

    def otherwise(self, rows: Array) -> tuple[Array, int]:
        """Return which rows the attack returns otherwise, (K,) bool, and how many runs with nudged weights do so, too."""
        images, clean = self.run(rows), self.clean.images[rows]
        others = apart(self.stated.images[rows], images, clean) > OTHER
        trials = [apart(self.run(rows, nudged=True), images, clean) > OTHER for _ in range(TRIALS)]
        return others, int(np.sum(trials))

    def successes(self, rows: Array, images: Array) -> tuple[Array, Array]:
        """Return on which rows the attack succeeds with `images`, and on which with the images of the file."""
        return self._succeeds(rows, images), self._succeeds(rows, self.stated.images[rows])

    def _succeeds(self, rows: Array, images: Array) -> Array:
        """Return on which images the attacker has what it wants, (K,) bool.

        It wants another class than the true one, which no detector flags; or, of attacks that know only whether an image
        shows a class, a flag exactly on images that do.
        """
        model, defence = attacked_model(self.job)
        device, labels = self.job.settings["device"], self.clean.labels[rows]
        found = []
        with torch.no_grad(), self.job.drawn():
            points, clean = (torch.from_numpy(each).to(device) for each in (images, self.clean.images[rows]))
            for part, before, truth in tensors.batches(
                self.job.settings["batch_size"], points, clean, torch.from_numpy(labels).to(device)
            ):
                found.append(self._wanted(model, defence, part, before, truth))
        return np.asarray(torch.cat(found).cpu().numpy())

    def _wanted(self, model: Any, defence: Any, images: Tensor, clean: Tensor, labels: Tensor) -> Tensor:
        truth = torch.where(labels < 0, model(clean).argmax(1), labels) if bool((labels < 0).any()) else labels
        if not isinstance(defence, Guarded):
            wrong: Tensor = defence(images).argmax(1) != truth
            return wrong
        logits, scores = defence.read(images)
        flagged = scores > defence.threshold
        if "in_distribution" in registry.used(self._use).call.data:
            return torch.where(labels >= 0, flagged, ~flagged)
        return (logits.argmax(1) != truth) & ~flagged
