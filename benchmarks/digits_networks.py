"""Networks trained on half of scikit-learn's digits, and digits of the other half: what races run on."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from racing import Rows
from touchstone.attacks.pgd import pgd
from touchstone.data.digits import digits
from touchstone.data.sources.sklearn_digits import sklearn_digits
from touchstone.models.networks import checkpoints
from touchstone.models.preact_resnet18 import preact_resnet18
from touchstone.models.small_cnn import small_cnn
from touchstone.models.softmax_regression import softmax_regression
from touchstone.pipeline.steps.train import train
from touchstone.records.nouns import Checkpoint
from touchstone.training.adversarial import adversarial
from touchstone.training.clean import clean

Kind = Literal["clean", "adversarial", "linear", "resnet"]  # of the networks to race on
ARCHITECTURES: dict[Kind, tuple[Callable[..., nn.Module], str]] = {  # the others are small CNNs
    "linear": (softmax_regression, "softmax_regression"),
    "resnet": (preact_resnet18, "preact_resnet18"),
}


def _coloured(images: NDArray[Any]) -> NDArray[Any]:
    """Return grey images (N, 1, 28, 28) as (N, 3, 32, 32)."""
    return np.pad(images, ((0, 0), (0, 0), (2, 2), (2, 2))).repeat(3, axis=1)


@cache
def _trained(
    kind: Kind, architecture: Callable[..., nn.Module], use: str, epochs: int
) -> tuple[Checkpoint, NDArray[Any], NDArray[Any]]:
    """Return a network, and images and labels that it was not trained on; one process trains each network once."""
    with tempfile.TemporaryDirectory() as folder:
        sklearn_digits(Path(folder))
        names = ("train", "validation", "test", "detector_train")
        parts = {part: digits(Path(folder), part=part) for part in names}  # type: ignore[arg-type]
    if kind == "resnet":
        parts = {part: replace(examples, images=_coloured(examples.images)) for part, examples in parts.items()}
    objective = partial(adversarial, attack=partial(pgd, eps=0.1, steps=7)) if kind == "adversarial" else clean
    checkpoint = train(
        parts["train"],
        parts["validation"],
        architecture=architecture,
        architecture_settings={"use": f"models/{use}"},
        objective=objective,
        epochs=epochs,
        learning_rate=0.004,
    )
    unseen = [parts["test"], parts["detector_train"]]
    images, labels = (np.concatenate([getattr(part, name) for part in unseen]) for name in ("images", "labels"))
    return checkpoint, images, labels


def digits_network(kind: Kind, count: int, epochs: int = 20) -> tuple[nn.Module, Rows]:
    """Return a network trained on half of scikit-learn's digits, and `count` digits of the other half.

    A small CNN, trained clean or with PGD of seven steps and eps .1; softmax regression; or a ResNet-18, trained clean on
    3x32x32 pixels. If `count` exceeds the number of digits, they repeat under new ids.
    """
    architecture, use = ARCHITECTURES.get(kind, (small_cnn, "small_cnn"))
    checkpoint, images, labels = _trained(kind, architecture, use, epochs)
    places = np.arange(count) % len(images)
    rows = Rows(torch.from_numpy(images[places]), torch.from_numpy(labels[places]), torch.arange(count))
    return checkpoints.load(architecture, checkpoint), rows
