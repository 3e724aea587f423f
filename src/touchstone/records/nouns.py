"""The nouns that steps take and return; each one checks its own shapes and ranges."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


class ContractError(ValueError):
    """A noun that breaks its own rules: a shape, a range, a missing field."""


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ContractError(message)


def _check_ids(ids: Array, count: int, what: str) -> None:
    _require(ids.shape == (count,), f"{what}: example_ids have shape {ids.shape}, expected ({count},)")
    # Sorted, not np.unique: its hash table takes twenty times as long.
    _require(bool(np.diff(np.sort(ids)).all()), f"{what}: example_ids are not unique")


def _finite(values: Array, what: str) -> None:
    _require(bool(np.isfinite(values).all()), f"{what}: holds NaN or infinity")


@dataclass(frozen=True)
class ExampleSet:
    """Images, their labels, and the rows of `source` that they come from.

    Attributes:
        images: (N, C, H, W) float32 in [0, 1].
        labels: (N,) int64; -1 means no class.
        example_ids: (N,), unique.
        notes: what a reader should know: interpolation, licence, ...
        unquantised: of attacked sets, the float images of which `images` are the version on the 1/255 grid.
    """

    images: Array
    labels: Array
    example_ids: Array
    source: str
    notes: dict[str, Any] = field(default_factory=dict)
    unquantised: Array | None = None

    def __post_init__(self) -> None:
        _require(self.images.ndim == 4, f"images have shape {self.images.shape}, expected (N, C, H, W)")
        _require(len(self.images) > 0, f"{self.source}: no images")
        _require(self.images.dtype == np.float32, f"images are {self.images.dtype}, expected float32")
        _finite(self.images, "images")
        low, high = float(self.images.min()), float(self.images.max())
        _require(low >= 0 and high <= 1, f"images lie in [{low:g}, {high:g}], expected [0, 1]")
        _require(self.labels.shape == (len(self.images),), f"labels have shape {self.labels.shape}")
        _require(self.labels.dtype == np.int64, f"labels are {self.labels.dtype}, expected int64")
        _check_ids(self.example_ids, len(self.images), self.source)
        if self.unquantised is not None:
            _require(self.unquantised.shape == self.images.shape, "unquantised images differ in shape")
            _finite(self.unquantised, "unquantised images")

    def __len__(self) -> int:
        return len(self.images)

    def with_images(self, images: Array, **notes: Any) -> ExampleSet:
        """Return the same rows with other images of the same shape; ContractError if the shape differs."""
        _require(images.shape == self.images.shape, f"images changed shape: {self.images.shape} to {images.shape}")
        return replace(self, images=images, unquantised=None, notes={**self.notes, **notes})

    def take(self, rows: Array) -> ExampleSet:
        """Return some rows (indices or a mask), in that order."""
        return replace(
            self,
            images=self.images[rows],
            labels=self.labels[rows],
            example_ids=self.example_ids[rows],
            unquantised=None if self.unquantised is None else self.unquantised[rows],
        )


@dataclass(frozen=True)
class Checkpoint:
    """The weights of one network, its architecture, and its normalisation (per channel, in pixels)."""

    weights: dict[str, Array]
    architecture: dict[str, Any]  # {"use": ..., settings}
    input_shape: tuple[int, int, int]
    classes: int  # 0 for a translator
    mean: tuple[float, ...]
    std: tuple[float, ...]
    history: dict[str, Array] = field(default_factory=dict)  # learning curves, one value per epoch
    notes: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _require(bool(self.weights), "a checkpoint without weights")
        for name, values in self.weights.items():
            _finite(values, f"weights {name}")
        _require(len(self.input_shape) == 3, f"input_shape {self.input_shape}, expected (C, H, W)")
        _require(len(self.mean) == len(self.std) == self.input_shape[0], "mean and std need one value per channel")
        _require(min(self.std) > 0, "std must be > 0")


@dataclass(frozen=True)
class Outputs:
    """What one network returns for one ExampleSet, row by row.

    Attributes:
        logits: (N, K).
        features: (N, ...) by name.
        gradient_norms: (N, P) by confounding label.
        unquantised_logits: of attacked sets, the logits of the float images.
    """

    logits: Array
    labels: Array
    example_ids: Array
    features: dict[str, Array] = field(default_factory=dict)
    gradient_norms: dict[str, Array] = field(default_factory=dict)
    unquantised_logits: Array | None = None

    def __post_init__(self) -> None:
        _require(self.logits.ndim == 2, f"logits have shape {self.logits.shape}, expected (N, K)")
        count = len(self.logits)
        _finite(self.logits, "logits")
        if self.unquantised_logits is not None:
            _finite(self.unquantised_logits, "unquantised logits")
        _check_ids(self.example_ids, count, "outputs")
        _require(self.labels.shape == (count,), f"labels have shape {self.labels.shape}")
        for name, values in [*self.features.items(), *self.gradient_norms.items()]:
            _require(values.shape[:1] == (count,), f"{name} has {values.shape[0]} rows, expected {count}")
            _finite(values, name)

    @property
    def predictions(self) -> Array:
        """The argmax class of each row, (N,) int64; the first one if classes tie."""
        predictions: Array = self.logits.argmax(axis=1)
        return predictions

    @property
    def penultimate(self) -> Array:
        """The penultimate features, (N, ...).

        Raises:
            ContractError: The network has none.
        """
        if "penultimate" not in self.features:
            raise ContractError("the network has no features: the layers of TorchScript cannot be reached")
        return self.features["penultimate"]


@dataclass(frozen=True)
class Margins:
    """For each example, the smallest perturbation found that changes the prediction.

    Attributes:
        margins: (N,) in pixels; +inf if none was found.
        found: (N,) bool.
        predictions: of the unperturbed images; margins belong to these classes.
        norm: linf or l2.
    """

    margins: Array
    found: Array
    labels: Array
    predictions: Array
    example_ids: Array
    norm: str
    method: str

    def __post_init__(self) -> None:
        count = len(self.margins)
        _check_ids(self.example_ids, count, "margins")
        _require(self.found.dtype == np.bool_ and self.found.shape == (count,), "found must be (N,) bool")
        _finite(self.margins[self.found], "margins found")
        _require(bool((self.margins >= 0).all()), "a margin is negative or NaN")
        _require(bool(np.isinf(self.margins[~self.found]).all()), "a margin that was not found must be +inf")
        _require(self.norm in ("linf", "l2"), f"norm {self.norm!r}, expected linf or l2")


@dataclass(frozen=True)
class Detector:
    """The fitted tensors of one detector, and its thresholds.

    Attributes:
        settings: {"use": ..., settings}.
        thresholds: {"0.05": score}, from held-out ID data; flag an input whose score is above the one of its
            false-positive rate.
        spread: standard deviation of the scores of that data, the unit for weighing scores.
        supervised: whether anomalous data was used to fit it.
    """

    state: dict[str, Array]
    settings: dict[str, Any]
    thresholds: dict[str, float]
    spread: float
    supervised: bool

    def __post_init__(self) -> None:
        for name, values in self.state.items():
            _finite(values, f"detector state {name}")
        _finite(np.array(list(self.thresholds.values()), dtype=np.float64), "thresholds")


@dataclass(frozen=True)
class Scores:
    """One float64 score per example; higher is always more anomalous."""

    scores: Array
    example_ids: Array
    labels: Array

    def __post_init__(self) -> None:
        _require(self.scores.dtype == np.float64, f"scores are {self.scores.dtype}, expected float64")
        _finite(self.scores, "scores")
        _check_ids(self.example_ids, len(self.scores), "scores")


@dataclass(frozen=True)
class LeftOut:
    """What stands in place of an artefact that cannot be computed from its inputs.

    Attributes:
        reason: a clause that names what was left out and says why.
    """

    reason: str


class LeftOutError(Exception):
    """An input was left out, or an output has to be. The message is the reason in its LeftOut.

    It is no ValueError, so that nobody takes it for a mistake in a file.
    """


@dataclass(frozen=True)
class Cell:
    """One artefact in an evaluation, and what it is about; a name that does not apply is empty.

    Attributes:
        entry: the classifier or defence, without its seed.
        examples: the example entry.
        victim: the network (with seed) or defence that was attacked; equal to the classifier itself for white-box
            attacks.
        translator: with seed.
        settings: of the attack: use, eps, steps, ...
    """

    noun: Any
    file: str
    entry: str = ""
    seed: int | None = None
    examples: str = ""
    attack: str = ""
    victim: str = ""
    translator: str = ""
    detector: str = ""
    margin: str = ""
    settings: dict[str, Any] = field(default_factory=dict)


Noun = ExampleSet | Checkpoint | Outputs | Margins | Detector | Scores | LeftOut
KINDS: dict[str, type] = {
    kind.__name__: kind for kind in (ExampleSet, Checkpoint, Outputs, Margins, Detector, Scores, LeftOut)
}
