"""An attack of a study, the file that states what it returned, and the same attack run here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from touchstone import registry
from touchstone.attacks.adversary.defences import Guarded
from touchstone.audit.recomputation import Recomputation
from touchstone.numerics import tensors
from touchstone.pipeline.jobs.adapters import attacked_model
from touchstone.pipeline.planning.parts import Task
from touchstone.records.nouns import Array, ExampleSet

# The first attacks of a suite, which come before the rest: what they fool, the whole suite has fooled too.
FIRST = {"attacks/attack_suite": {"restarts": 3, "queries": 0}}


def unmoved(attacked: ExampleSet, clean: ExampleSet) -> Array:
    """Return which attacked images equal their clean ones, (N,) bool."""
    same: Array = (attacked.images == clean.images).reshape(len(clean), -1).all(axis=1)
    return same


class RecordedAttack:
    """An attack, the file that states what it returned, and the same attack run here.

    Attributes:
        still: Which of the images in the file equal the clean ones, (N,) bool.
    """

    def __init__(self, reader: Recomputation, task: Task) -> None:
        self.reader, self.task = reader, task
        self.still = unmoved(self.stated, self.clean)
        self.job = reader.job(task)

    @property
    def stated(self) -> ExampleSet:
        """The attacked set in the file."""
        stated: ExampleSet = self.reader.noun(self.task.output, "ExampleSet")
        return stated

    @property
    def clean(self) -> ExampleSet:
        """The set before the attack."""
        clean: ExampleSet = self.reader.noun(str(self.task.inputs["examples"]), "ExampleSet")
        return clean

    @property
    def returns_equal(self) -> bool:
        """Whether the attack returns the same image here, up to what another processor changes.

        Not on a GPU, nor if the network draws random numbers, which depend on the images before an image.
        """
        devices = {str(self.reader.device), str(self.task.settings.get("device", "cpu"))}
        return devices == {"cpu"} and "draws" not in self.task.settings

    @property
    def use(self) -> str:
        """The name of the attack."""
        return str(self.task.settings["component"]["use"])

    def run(self, rows: Array, *, nudged: bool = False) -> Array:
        """Return what the attack returns for some rows, (K, C, H, W).

        Args:
            rows: Their places.
            nudged: Whether the weights of its networks are nudged.
        """
        (images,) = run_together([self], [rows], nudged=nudged)
        return images

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
        if "in_distribution" in registry.used(self.use).call.data:
            return torch.where(labels >= 0, flagged, ~flagged)
        return (logits.argmax(1) != truth) & ~flagged


def run_together(
    attacks: Sequence[RecordedAttack], rows: Sequence[Array], *, nudged: bool = False, first: bool = False
) -> list[Array]:
    """Run an attack once for all sets that it made: a network takes hardly longer for ten images than for one.

    Args:
        attacks: They differ in their sets only.
        rows: The places of the images of each set.
        nudged: Whether the weights of its networks are nudged.
        first: Whether only the first attacks of a suite run.

    Returns:
        For each set what the attack returns, (K, C, H, W).
    """
    task, reader = attacks[0].task, attacks[0].reader
    if first:
        block = task.settings["component"]
        less = {name: min(value, block[name]) for name, value in FIRST[attacks[0].use].items()}
        task = replace(task, settings=task.settings | {"component": block | less})
    clean = [attack.clean for attack in attacks]
    images = [each.images[places] for each, places in zip(clean, rows, strict=True)]  # of sets without rows they stay
    for members in _without_common_ids([each.example_ids[places] for each, places in zip(clean, rows, strict=True)]):
        parts = [clean[member].take(rows[member]) for member in members]
        joined = replace(
            parts[0],
            images=np.concatenate([part.images for part in parts]),
            labels=np.concatenate([part.labels for part in parts]),
            example_ids=np.concatenate([part.example_ids for part in parts]),
        )
        attacked = reader.compute(task, examples=joined, nudged=nudged).images
        for member, own in zip(members, np.split(attacked, np.cumsum([len(part) for part in parts])[:-1]), strict=True):
            images[member] = own
    return images


def _without_common_ids(ids: Sequence[Array]) -> Iterator[list[int]]:
    """Yield the places of sets that share no image, until all that have images were yielded."""
    waiting = [place for place, own in enumerate(ids) if len(own)]
    while waiting:
        taken: set[int] = set()
        members = []
        for place in waiting:
            own = set(map(int, ids[place]))
            if not taken & own:
                taken |= own
                members.append(place)
        yield members
        waiting = [place for place in waiting if place not in members]
