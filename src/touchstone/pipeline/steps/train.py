"""train: fit one network, classifier or translator, to an ExampleSet. The one training loop."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from touchstone.contracts import (
    Architecture,
    Attack,
    Model,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    UnitInterval,
)
from touchstone.models.networks import checkpoints
from touchstone.numerics import tensors
from touchstone.pipeline.steps._training_batches import Augmentation, Batches, Outliers, batches_of
from touchstone.pipeline.steps._training_losses import Losses
from touchstone.pipeline.steps._watched_accuracy import WatchedAccuracy
from touchstone.records.nouns import Array, Checkpoint, ContractError, ExampleSet

Objective = Callable[..., Tensor]  # (model, images, labels, generator, ...) -> mean loss of the batch
State = dict[str, Array]  # everything that a killed run needs to continue, as plain arrays without nesting


def train(
    train: ExampleSet,
    validation: ExampleSet,
    outliers: Sequence[ExampleSet] = (),
    classifier: Model | None = None,
    *,
    # what the job's adapter resolves
    architecture: Architecture,
    architecture_settings: dict[str, Any],
    objective: Objective,
    companions: Callable[..., nn.Module] | None = None,
    attacks: Mapping[str, Attack] | None = None,
    device: str = "cpu",
    resume: State | None = None,
    keep: Callable[[State], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
    # what the user sets
    epochs: PositiveInt = 10,
    batch_size: PositiveInt = 64,
    outlier_batch_size: PositiveInt = 128,
    optimizer: Literal["sgd", "adam"] = "adam",
    learning_rate: PositiveFloat = 0.001,
    momentum: UnitInterval = 0.9,
    weight_decay: NonNegativeFloat = 0.0,
    schedule: Literal["constant", "cosine"] = "cosine",
    choose: Literal["last", "best"] = "last",
    normalise: bool = True,
    crop: NonNegativeInt = 0,
    flip: bool = False,
    watched_images: NonNegativeInt = 200,
    seed: NonNegativeInt = 0,
) -> Checkpoint:
    """Train one network.

    The validation loss is the objective on the validation set, in its order and in eval mode. So it is adversarial for
    adversarial training. Outliers have no validation part: validation uses the first training outliers, unchanged.
    `momentum` is SGD's (Nesterov) or Adam's first decay rate; `weight_decay` is an L2 penalty.
    `schedule: cosine` falls from `learning_rate` to 0, batch by batch. An architecture without `classes` is a
    translator: its Checkpoint has `classes` 0, and its pixels are never normalised, whatever `normalise` says.

    Training images and outliers are padded with `crop` black pixels and cropped to their size at a random place. With
    `flip`, a random half of them is mirrored left to right. Validation images are not changed.

    `companions` builds, from the input shape, further networks that the objective trains, such as a discriminator. They
    are in the state, but not in the Checkpoint. One optimiser updates all networks, by the gradients of the objective.

    `attacks` are those under which accuracy is measured after each epoch, on the first `watched_images` validation images.
    The history has a curve for each, and one for the clean images. Nothing else depends on them.

    `keep` gets the state after each epoch. A run that gets this state as `resume` ends with the same bytes.
    `progress` gets (batches done, all batches). Weights, order, draws and dropout depend only on `seed`, so runs that
    differ in objective or settings are paired.

    Returns:
        The last weights, or with `choose: best` those of the lowest validation loss, with the history of the training.

    Raises:
        ContractError: data and objective do not fit.
        FloatingPointError: the loss is not finite; the message names epoch and batch.
    """
    asked = _asked(objective, outliers, classifier, companions)
    classes = _classes(architecture, train, validation)
    mean, std = _channel_statistics(train, standardised=normalise and classes > 0)
    shape = (train.images.shape[1], train.images.shape[2], train.images.shape[3])
    model = checkpoints.build(architecture, shape, classes, mean, std, seed).to(device)
    beside = _built(companions, shape, seed).to(device)
    optimiser = _optimiser(optimizer, nn.ModuleList([model, beside]), learning_rate, momentum, weight_decay)

    augment = Augmentation(crop, flip)
    data = Batches(train, seed, "attack", device, augment)
    held_out = Batches(validation, seed, "validation_attack", device)
    others = Outliers(outliers, shape, outlier_batch_size, seed, device, augment) if outliers else None

    def beyond_the_batch(epoch: int | None, index: int) -> dict[str, Any]:
        inputs = {"classifier": classifier, "companions": beside, **(others.batch(epoch, index) if others else {})}
        return {name: inputs[name] for name in asked}

    history: dict[str, list[float]] = {"train_loss": [], "validation_loss": []}
    if classes:
        history["validation_accuracy"] = []
    watched = WatchedAccuracy(validation, watched_images, attacks or {} if classes else {}, seed, device)
    history |= {name: [] for name in watched.curves}
    best: dict[str, Array] = {}
    first = 0
    if resume is not None:
        first, best = _restore(resume, model, beside, optimiser, history)

    steps = batches_of(len(train), batch_size)
    for epoch in range(first, epochs):
        losses = Losses(learning_rate)
        model.train()
        with tensors.seeded(seed, f"dropout.{epoch}"):
            for index, rows in enumerate(data.shuffled(epoch, batch_size)):
                if schedule == "cosine":
                    _set_rate(optimiser, learning_rate * _cosine((epoch * steps + index) / (epochs * steps)))
                images, labels, draws = data.batch(rows, epoch)
                optimiser.zero_grad(set_to_none=True)
                loss = objective(model, images, labels, draws, **beyond_the_batch(epoch, index))
                losses.add(loss, len(rows), f"epoch {epoch + 1}, batch {index + 1}")
                torch.autograd.backward(loss)
                optimiser.step()
                if progress is not None:
                    progress(epoch * steps + index + 1, epochs * steps)
        history["train_loss"].append(losses.total() / len(train))

        losses, right = Losses(learning_rate), torch.zeros((), dtype=torch.int64, device=device)
        # A network or attack that draws from torch's generator draws the same in every epoch, too.
        with tensors.seeded(seed, "validation"), tensors.frozen(model), tensors.frozen(beside):
            for index, rows in enumerate(held_out.in_order(batch_size)):
                images, labels, draws = held_out.batch(rows, 0)  # the same draws in every epoch: epochs compare
                loss = objective(model, images, labels, draws, **beyond_the_batch(None, index))
                losses.add(loss, len(rows), f"validation after epoch {epoch + 1}")
                if classes:
                    right += (model(images).argmax(1) == labels).sum()
        validation_loss = losses.total() / len(validation)
        if choose == "best" and validation_loss < min(history["validation_loss"], default=math.inf):
            best = checkpoints.weights_of(model)
        history["validation_loss"].append(validation_loss)
        if classes:
            history["validation_accuracy"].append(int(right) / len(validation))
        for name, accuracy in watched(model).items():
            history[name].append(accuracy)
        if keep is not None:
            keep(_state(epoch + 1, model, beside, optimiser, history, best))

    curve = history["validation_loss"]
    chosen = curve.index(min(curve)) + 1 if choose == "best" else epochs
    return Checkpoint(
        weights=best if choose == "best" else checkpoints.weights_of(model),
        architecture=architecture_settings,
        input_shape=shape,
        classes=classes,
        mean=mean,
        std=std,
        history={name: np.array(values, dtype=np.float64) for name, values in history.items()},
        notes={"trained_on": train.source, "epochs": epochs, "chosen_epoch": chosen, "seed": seed}
        | ({"watched_images": len(watched.images)} if watched.curves else {}),
    )


def _built(companions: Callable[..., nn.Module] | None, shape: tuple[int, int, int], seed: int) -> nn.Module:
    """Return the freshly initialised companions; an empty module if there are none."""
    if companions is None:
        return nn.Module()
    with tensors.seeded(seed, "companions"):
        return companions(shape)


def _asked(
    objective: Objective,
    outliers: Sequence[ExampleSet],
    classifier: Model | None,
    companions: Callable[..., nn.Module] | None,
) -> set[str]:
    """Return which inputs beyond the batch the objective takes; ContractError unless exactly these are given."""
    further = {"outliers", "outlier_generator", "classifier", "companions"}
    asked = inspect.signature(objective).parameters.keys() & further
    known = (
        ("outliers", bool(outliers)),
        ("classifier", classifier is not None),
        ("companions", companions is not None),
    )
    for name, given in known:
        if name in asked and not given:
            raise ContractError(f"the objective needs {name}, and none are given")
        if given and name not in asked:
            raise ContractError(f"{name} are given, and the objective has no use for them")
    return asked


def _classes(architecture: Architecture, train: ExampleSet, validation: ExampleSet) -> int:
    """Return the number of classes, 0 for a translator; ContractError if a classifier's labels are not classes."""
    if train.images.shape[1:] != validation.images.shape[1:]:
        raise ContractError(f"train images are {train.images.shape[1:]}, validation {validation.images.shape[1:]}")
    if "classes" not in inspect.signature(architecture).parameters:
        return 0
    labels = np.concatenate([train.labels, validation.labels])
    if labels.min() < 0:
        raise ContractError("a classifier's training and validation examples need a class each, got label -1")
    return max(int(labels.max()) + 1, 2)


def _channel_statistics(train: ExampleSet, standardised: bool) -> tuple[tuple[float, ...], tuple[float, ...]]:
    channels = train.images.shape[1]
    if not standardised:
        return (0.0,) * channels, (1.0,) * channels
    pixels = train.images.astype(np.float64)
    # Rounded, so that the order in which a machine sums does not reach the weights.
    mean = tuple(round(float(value), 6) for value in pixels.mean((0, 2, 3)))
    std = tuple(round(max(float(value), 1e-3), 6) for value in pixels.std((0, 2, 3)))
    return mean, std


def _optimiser(name: str, model: nn.Module, rate: float, momentum: float, decay: float) -> torch.optim.Optimizer:
    if name == "adam":
        # Fused: a third of the time of the default, which takes a fifth of an epoch of a wide network.
        return torch.optim.Adam(model.parameters(), lr=rate, betas=(momentum, 0.999), weight_decay=decay, fused=True)
    nesterov = momentum > 0
    return torch.optim.SGD(model.parameters(), lr=rate, momentum=momentum, weight_decay=decay, nesterov=nesterov)


def _set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    for group in optimiser.param_groups:
        group["lr"] = rate


def _cosine(share: float) -> float:
    """Return the factor of the learning rate after `share` of all batches, from 1 to 0."""
    return 0.5 * (1 + math.cos(math.pi * share))


def _state(
    epoch: int,
    model: nn.Module,
    beside: nn.Module,
    optimiser: torch.optim.Optimizer,
    history: dict[str, list[float]],
    best: dict[str, Array],
) -> State:
    state: State = {"epoch": np.array([epoch])}
    state |= {f"companions/{name}": values.cpu().numpy().copy() for name, values in beside.state_dict().items()}
    state |= {f"model/{name}": values for name, values in checkpoints.weights_of(model).items()}
    state |= {f"best/{name}": values for name, values in best.items()}
    state |= {f"history/{name}": np.array(values, dtype=np.float64) for name, values in history.items()}
    for index, slots in optimiser.state_dict()["state"].items():
        state |= {f"optimiser/{index}/{name}": slot.cpu().numpy().copy() for name, slot in slots.items()}
    return state


def _restore(
    state: State,
    model: nn.Module,
    beside: nn.Module,
    optimiser: torch.optim.Optimizer,
    history: dict[str, list[float]],
) -> tuple[int, dict[str, Array]]:
    """Put a state back into networks, optimiser and history; return the epochs done and the best weights so far."""
    checkpoints.fill(model, _part(state, "model"))
    shaped = beside.state_dict()
    found = {name: torch.tensor(values) for name, values in _part(state, "companions").items()}
    beside.load_state_dict({name: values.reshape(shaped[name].shape) for name, values in found.items()})
    slots: dict[int, dict[str, Tensor]] = {}
    for key, values in _part(state, "optimiser").items():
        index, name = key.split("/")
        # A file gives scalars, here Adam's step, back with one dimension.
        slots.setdefault(int(index), {})[name] = torch.tensor(values).reshape(() if name == "step" else values.shape)
    optimiser.load_state_dict({**optimiser.state_dict(), "state": slots})
    for weights, kept in optimiser.state.items():
        for name, slot in kept.items():
            if slot.shape == weights.shape:  # as in memory as the weights, beside which a fused step reads them
                kept[name] = torch.empty_like(weights).copy_(slot)
    for name in history:
        history[name] = _part(state, "history")[name].tolist()
    shapes = {name: values.shape for name, values in checkpoints.weights_of(model).items()}
    best = {name: values.reshape(shapes[name]) for name, values in _part(state, "best").items()}
    return int(state["epoch"][0]), best


def _part(state: State, prefix: str) -> dict[str, Array]:
    return {key.removeprefix(f"{prefix}/"): values for key, values in state.items() if key.startswith(f"{prefix}/")}
