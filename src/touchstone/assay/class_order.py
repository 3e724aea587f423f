"""Match the classes of the user's images with the outputs of the user's model."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

SHOWN = 6  # classes that a message names
LISTED = 100  # classes that a command line lists
Rows = NDArray[Any]
# Another order is accepted only if it is right on most images, if most of the classes that it moves gain accuracy, if
# their mean gain is large, and if chance does not explain the gain.
MOST, GAINING, MEAN_GAIN, CHANCE = 0.5, 0.8, 0.3, 1e-3


@dataclass(frozen=True)
class Numbering:
    """How the images got their class numbers.

    Attributes:
        place: the name of their folder or file.
        names: of the classes by number; "" for a class without images.
        empty: folders without pictures.
        stated: the user stated the numbers, by folders named 0, 1, ..., the labels of an array file, or --classes; if not,
            they follow the alphabet.
        arrays: they are labels of an array file.
    """

    place: str
    names: tuple[str, ...]
    empty: tuple[str, ...] = ()
    stated: bool = True
    arrays: bool = False

    def fit(self, outputs: int, labels: Rows, predicted: Callable[[], Rows]) -> list[str]:
        """Return notes on comparing the classes with this many logits.

        Args:
            outputs: the number of logits.
            labels: (N,) int64, the class of each image.
            predicted: returns the output that the model chose for each image.

        Raises:
            ValueError: there are more classes than logits, or the numbers of the classes are guesses that must be wrong. The
                message says which other numbers make the model right, if these are found.
        """
        present = [name for name in self.names if name]
        counts = f"the model has {outputs} classes, {self.place} has {len(present)} ({_listed(present)})"
        have = "has" if len(self.empty) == 1 else "have"
        nothing = f"{', '.join(f'{name}/' for name in self.empty[:SHOWN])} {have} no picture"
        if len(self.names) > outputs:
            numbers = f", numbered up to {len(self.names) - 1}" if len(self.names) > len(present) else ""
            raise ValueError(f"{counts}{numbers}{self._remedy(outputs, labels, predicted)}")
        if len(present) == outputs:
            return [nothing] if self.empty else []
        if not self.stated:
            raise ValueError(
                f"{counts}{'; ' + nothing if self.empty else ''}. Which output is whose does not follow from the"
                " alphabet: name all classes in the model's order with --classes, also those without pictures, or name"
                " the folders by their numbers, 0, 1, ..."
            )
        return [f"{counts}: the other outputs are never right, and attacks may still lead to them"]

    def _remedy(self, outputs: int, labels: Rows, predicted: Callable[[], Rows]) -> str:
        """Return which numbers of the classes make the model right, as the end of a sentence."""
        from scipy.stats import binomtest

        present = np.unique(labels)
        if len(present) == outputs:
            numbers = np.arange(outputs)
        elif present[0] == 1 and present[-1] <= outputs:
            numbers = present - 1
        else:
            return "; is this the model that was trained on these classes?"
        places, predictions = np.searchsorted(present, labels), predicted()
        order = right_order(numbers[places], predictions, outputs)
        if order is not None:
            numbers = np.array([order.outputs[number] for number in numbers.tolist()])
        right = int((numbers[places] == predictions).sum())
        if binomtest(right, len(labels), 1 / outputs, alternative="greater").pvalue >= CHANCE:
            return "; is this the model that was trained on these classes?"
        typed = self.in_order(dict(zip(present.tolist(), numbers.tolist(), strict=True)), outputs)
        return f". {typed}: then it is right on {right / len(labels):.0%} of {len(labels)} of your images"

    def in_order(self, order: Mapping[int, int], outputs: int) -> str:
        """Return what to type so that each class gets the output that `order` gives it."""
        if all(number - output == 1 for number, output in order.items()):  # they are counted from 1
            if self.arrays:
                return "Renumber yours: labels = labels - 1"
            names = [*self.names[1:], *[""] * (outputs + 1 - len(self.names))]
            if all(not name or name.isdecimal() for name in names):
                listed = ",".join(name or str(output + 1) for output, name in enumerate(names))
                return f"Add --classes {listed if outputs <= LISTED else f'$(seq -s, 1 {outputs})'}"
        if self.arrays:
            numbers = [order.get(number, number) for number in range(len(self.names))]
            return f"Renumber yours: labels = numpy.array({numbers})[labels]"
        if len(order) == outputs:
            return f"Add --classes {shlex.quote(','.join(self.names[n] for n in sorted(order, key=order.__getitem__)))}"
        pairs = ", ".join(f"{self.names[number]} is output {output}" for number, output in order.items())
        return f"{pairs}; state it with --classes and the names of all {outputs} classes in the model's order"


class Order(NamedTuple):
    """An order of the classes: the output of each class, and the share of images that the order makes right."""

    outputs: dict[int, int]
    accuracy: float


def right_order(labels: Rows, predictions: Rows, outputs: int) -> Order | None:
    """Return the order of the classes in which a model is right, if it is another.

    None if that is the present order, or if no order is clear.

    Each half of every class is scored with the order that fits the other half best, so that an order which only fits
    these images is not accepted.

    Args:
        labels: (N,) int64, the class of each image.
        predictions: (N,) int64, the output that the model chose.
        outputs: the number of the model's outputs.
    """
    from scipy.stats import binomtest

    half = np.zeros(len(labels), dtype=bool)
    for number in np.unique(labels):
        half[np.nonzero(labels == number)[0][::2]] = True
    right = np.zeros(len(labels), dtype=bool)
    for rows in (half, ~half):
        fitted = _best_order(labels[~rows], predictions[~rows], outputs)
        right[rows] = fitted[labels[rows]] == predictions[rows]
    order, as_given = _best_order(labels, predictions, outputs), predictions == labels
    moved = [labels == number for number in np.unique(labels) if order[number] != number]
    if not moved:
        return None
    gains = np.array([right[rows].mean() - as_given[rows].mean() for rows in moved])
    better, worse = (int(np.any(moved, axis=0)[rows].sum()) for rows in (right & ~as_given, as_given & ~right))
    surprise = binomtest(better, better + worse, alternative="greater").pvalue if better else 1.0
    if right.mean() <= MOST or (gains > 0).mean() < GAINING or gains.mean() <= MEAN_GAIN or surprise >= CHANCE:
        return None
    return Order({int(number): int(order[number]) for number in np.unique(labels)}, float(right.mean()))


def _best_order(labels: Rows, predictions: Rows, outputs: int) -> Rows:
    """Return the output of each class that makes most images right; on a tie, the class's own."""
    from scipy.optimize import linear_sum_assignment

    counts = 1e-6 * np.eye(outputs)
    np.add.at(counts, (labels, predictions), 1.0)
    order: Rows = linear_sum_assignment(counts, maximize=True)[1]
    return order


def _listed(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")
