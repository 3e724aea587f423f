"""What `one_gpu.py` races: our functions, networks and digits; verdicts on one device; a counter of operations."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

import gradient_features
import racing
from racing import Results, Rows
from touchstone.attacks.margins.nearest_classes import nearest_classes
from touchstone.attacks.pgd import pgd
from touchstone.data.digits import digits
from touchstone.data.sources.sklearn_digits import sklearn_digits
from touchstone.detectors.gradient_sum import gradient_sum
from touchstone.detectors.msp import msp
from touchstone.evaluations.statistics import estimators
from touchstone.evaluations.statistics.thresholds import threshold_at
from touchstone.models.networks import checkpoints
from touchstone.numerics import precision
from touchstone.numerics.tensors import RandomStreams
from touchstone.pipeline.steps.attack import attack
from touchstone.pipeline.steps.infer import infer
from touchstone.pipeline.steps.measure import measure
from touchstone.pipeline.steps.train import train
from touchstone.records.nouns import Checkpoint, ExampleSet
from touchstone.training.adversarial import adversarial
from touchstone.training.clean import clean

EPS, STEPS, TRAINING_STEPS = 0.1, 40, 7  # of PGD, and of PGD in training
BATCH, RATE = 128, 0.002  # of training
CONFOUNDING = {"softmax_all": {"variant": "softmax", "ones": None, "draws": None}}


class Subject(NamedTuple):
    """A network trained with PGD, how it is built, and digits of its shape."""

    name: str
    architecture: Callable[..., nn.Module]
    training: ExampleSet
    validation: ExampleSet
    test: ExampleSet
    checkpoint: Checkpoint | None = None

    def model(self, device: str) -> nn.Module:
        """Return the trained network on a device."""
        assert self.checkpoint is not None
        return checkpoints.load(self.architecture, self.checkpoint, device)


def subject(
    name: str, architecture: Callable[..., nn.Module], shape: tuple[int, int], images: int, device: str
) -> Subject:
    """Return a network of (channels, side) trained for three epochs, with digits that repeat under new ids."""
    with tempfile.TemporaryDirectory() as folder:
        sklearn_digits(Path(folder))
        names = ("train", "validation", "test")
        sets = [digits(Path(folder), part=part, size=shape[1]) for part in names]  # type: ignore[arg-type]
    training, validation, test = (
        repeated(one, count, shape[0]) for one, count in zip(sets, (4 * images, images, images), strict=True)
    )
    made = Subject(name, architecture, training, validation, test)
    return made._replace(checkpoint=our_training(made, True, device, epochs=3))


def repeated(examples: ExampleSet, count: int, channels: int) -> ExampleSet:
    """Return so many of the examples, each time under new ids, their one channel repeated."""
    places = np.arange(count) % len(examples)
    images = np.repeat(examples.images[places], channels, axis=1)
    return ExampleSet(images, examples.labels[places], np.arange(count), examples.source)


def rows_of(examples: ExampleSet, device: str, count: int | None = None) -> Rows:
    """Return the first examples on a device."""
    columns = (examples.images, examples.labels, examples.example_ids)
    return Rows(*(torch.from_numpy(column[:count]).to(device) for column in columns))


def our_pgd(model: nn.Module, rows: Rows) -> Tensor:
    """Return our PGD's images."""
    return pgd(model, rows.images, rows.labels, RandomStreams(0, "attack", rows.ids), eps=EPS, steps=STEPS)


def our_margins(model: nn.Module, rows: Rows) -> Tensor:
    """Return the margins of our default method."""
    return nearest_classes(model, rows.images, rows.labels, RandomStreams(0, "attack", rows.ids))[0]


def our_norms(model: nn.Module, rows: Rows) -> Tensor:
    """Return our squared gradient norms, (N, P)."""
    return torch.stack(list(gradient_features.touchstone(model, rows.images, rows.labels).values()), 1)


def our_training(
    one: Subject,
    attacked: bool,
    device: str,
    settings: dict[str, str] | None = None,
    epochs: int = 1,
    eps: float = EPS,
) -> Checkpoint:
    """Return what our training loop ends in."""
    objective = partial(adversarial, attack=partial(pgd, eps=eps, steps=TRAINING_STEPS)) if attacked else clean
    as_set = {"device": device, **(settings or {})}
    return train(
        one.training,
        one.validation,
        architecture=precision.architecture(one.architecture, as_set),
        architecture_settings={},
        objective=precision.objective(objective, as_set),
        device=device,
        epochs=epochs,
        batch_size=BATCH,
        learning_rate=RATE,
    )


def settle(settings: dict[str, str], as_job: bool = True) -> None:
    """Let torch compute as our jobs do under some settings, or as it does by itself."""
    torch.use_deterministic_algorithms(as_job)
    precision.set_up(settings)
    if not as_job:
        torch.backends.cudnn.allow_tf32 = True


def settled(run: Callable[[], Any], settings: dict[str, str], as_job: bool = True) -> Any:
    """Return what a call gives that is computed so."""
    settle(settings, as_job)
    return run()


def until_done(run: Callable[[], object]) -> float:
    """Return how long a call takes, until the device is done."""

    def call() -> None:
        run()
        if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
            torch.cuda.synchronize()

    return racing.seconds(call)


def verdicts(one: Subject, count: int, batch: int, device: str) -> dict[str, float]:
    """Return, in points, what the steps of a study say on one device; images and network are the same."""
    settle({})
    model = one.model(device)
    examples = one.test.take(np.arange(count))
    settings: Results = {"batch_size": batch, "device": device}
    made = attack(examples, model, defence=model, perturb=partial(pgd, eps=EPS, steps=STEPS), seed=0, **settings)
    out, attacked = (infer(images, model, confounding=CONFOUNDING, **settings) for images in (examples, made))
    margins = measure(examples, model, method=nearest_classes, name="nearest_classes", norm="linf", seed=0, **settings)
    found = {
        "clean accuracy": (out.predictions == examples.labels).mean(),
        "robust accuracy": (attacked.predictions == examples.labels).mean(),
        "share with a margin up to eps": (margins.margins <= EPS).mean(),
    }
    for name in ("MSP", "gradient sum"):
        scores = [
            (msp(torch.from_numpy(each.logits)) if name == "MSP" else
             gradient_sum(torch.from_numpy(each.gradient_norms["softmax_all"]))).double().numpy()
            for each in (out, attacked)
        ]  # fmt: skip
        found[f"AUROC of {name}"] = estimators.point("auroc", *scores)
        found[f"attacked images flagged by {name} at 5 %"] = (scores[1] > threshold_at(np.sort(scores[0]), 0.05)).mean()
    return {name: 100 * float(value) for name, value in found.items()}


class Counting(TorchDispatchMode):
    """Count the operations of a block, and those for which Python waits for the device, copies to and from it included.

    On a CPU this includes the scalars of Adam, which are never on a GPU.
    """

    def __init__(self, device: str) -> None:
        super().__init__()
        self.device, self.operations, self.waits = device, 0, 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Count one operation, and do it."""
        name, source = func.__name__.split(".")[0], args[0] if args and isinstance(args[0], Tensor) else None
        places = args[1] if name.startswith("index") and isinstance(args[1], list | tuple) else []
        masked = any(place is not None and place.dtype == torch.bool for place in places)  # as many as are True
        read = masked or name in ("_local_scalar_dense", "nonzero", "equal")
        result = func(*args, **(kwargs or {}))
        self.operations += 1
        if source is not None and name == "_to_copy" and result.device != source.device:
            self.waits += self.device in (source.device.type, result.device.type)
        elif source is not None:
            self.waits += read and source.device.type == self.device
        return result
