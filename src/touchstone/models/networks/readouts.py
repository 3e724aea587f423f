"""What detectors read from a network: logits, features, gradient norms."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from touchstone.models.networks import checkpoints
from touchstone.models.networks.confounding import confounding_labels, confounding_norms

Confounding = dict[str, dict[str, Any]]  # {name: {"variant", "ones", "draws"}}


@contextmanager
def recorded_features(model: nn.Module) -> Iterator[list[Tensor]]:
    """Yield a list that a forward pass in the block fills with the features (N, D).

    They are the input of the last linear layer; without one (shallow_rbf), the pixels.

    Raises:
        ValueError: The layers of the network cannot be reached.
    """
    if not has_features(model):
        raise ValueError("the layers of TorchScript cannot be reached, so it has no features")
    recorded: list[Tensor] = []
    linear = any(isinstance(module, nn.Linear) for module in model.modules())

    def record(_: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        recorded.append(arguments[0].flatten(1))

    handle = (checkpoints.penultimate(model) if linear else model).register_forward_pre_hook(record)
    try:
        yield recorded
    finally:
        handle.remove()


def has_features(model: nn.Module) -> bool:
    """Return whether the layers of a network can be reached. Those of TorchScript cannot."""
    return not any(isinstance(module, torch.jit.ScriptModule) for module in model.modules())


def read_out(
    model: nn.Module, images: Tensor, confounding: Confounding, *, names: Collection[str], differentiable: bool = False
) -> dict[str, Tensor]:
    """Return what detectors read of a batch, by name.

    Args:
        model: images in [0, 1] to logits (N, K).
        images: (N, C, H, W) in [0, 1].
        confounding: the confounding labels, by name.
        names: what to return.
        differentiable: keep a graph back to `images`, so that a detector's score can be attacked.

    Returns:
        "logits" (N, K), "features" (N, D) and "gradient_norms.LABEL" (N, P), those in `names`.

    Raises:
        ValueError: `names` has "features", and the layers of the network cannot be reached.
    """
    read: dict[str, Tensor] = {}
    with torch.set_grad_enabled(differentiable):
        if "features" in names:
            with recorded_features(model) as recorded:
                read["logits"] = model(images)
            read["features"] = recorded[0]
        else:
            read["logits"] = model(images)
    for name, label in confounding.items():
        if f"gradient_norms.{name}" in names:
            classes, ones = read["logits"].shape[1], label["ones"]
            targets = None if ones == 1 else confounding_labels(classes, ones, label["draws"])
            read[f"gradient_norms.{name}"] = confounding_norms(
                model, images, targets, variant=label["variant"], create_graph=differentiable
            )
    return {name: read[name] for name in names}
