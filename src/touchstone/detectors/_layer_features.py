"""The inputs of every hidden layer of a network."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from touchstone.numerics.tensors import batches

WEIGHTED = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


def layer_features(model: nn.Module, images: Tensor) -> list[Tensor]:
    """Return the inputs of all linear and convolutional layers but the first.

    In the order of the calls, each (N, D) with D channels or units. Channels are averaged over space. Units of a linear
    layer are the last dimension, and all dimensions between, such as patches, are averaged. Differentiable in the images if
    gradients are enabled.

    Raises:
        ValueError: If the network has fewer than two such layers, so that it has no hidden layer.
    """
    read: list[tuple[nn.Module, Tensor]] = []

    def record(layer: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        read.append((layer, arguments[0]))

    handles = [module.register_forward_pre_hook(record) for module in model.modules() if isinstance(module, WEIGHTED)]
    try:
        model(images)
    finally:
        for handle in handles:
            handle.remove()
    if len(read) < 2:
        raise ValueError(f"a network of {len(read)} linear or convolutional layers has no hidden layer to read")
    return [_averaged(layer, values) for layer, values in read[1:]]


def _averaged(layer: nn.Module, values: Tensor) -> Tensor:
    if values.ndim <= 2:
        return values
    return values.flatten(1, -2).mean(1) if isinstance(layer, nn.Linear) else values.flatten(2).mean(2)


def all_layer_features(model: nn.Module, images: Tensor, batch_size: int) -> list[Tensor]:
    """Return `layer_features` of many images, in batches and without gradients."""
    with torch.no_grad():
        parts = [layer_features(model, batch) for (batch,) in batches(batch_size, images)]
    return [torch.cat(layer) for layer in zip(*parts, strict=True)]
