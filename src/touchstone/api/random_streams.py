"""Random streams from any whole numbers: those of `numerics` take a tensor of ids only."""

from __future__ import annotations

from typing import Any

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from touchstone.api.arguments import kind_of
from touchstone.numerics import tensors


class RandomStreams(tensors.RandomStreams):
    """One random stream per example, keyed by its id; the `generator` of an attack or a margin.

    Batches and order therefore change nothing. Each call advances all its streams by one draw.

    Args:
        seed: of all streams.
        stream: its name, such as "attack". Streams of another name are other numbers.
        example_ids: (N,) whole numbers, one for each image; a tensor, an array or a list.

    Raises:
        TypeError: If the ids are no whole numbers.
        ValueError: If they are not (N,).

    Examples:
        >>> len(RandomStreams(0, "attack", range(60)))
        60
    """

    def __init__(self, seed: int, stream: str, example_ids: Tensor | ArrayLike) -> None:
        super().__init__(seed, stream, _ids(example_ids))


def _ids(given: Any) -> Tensor:
    expected = "example_ids: expected whole numbers (N,), such as torch.arange(len(images))"
    try:
        ids = given if isinstance(given, Tensor) else torch.as_tensor(given, device="cpu")
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(f"{expected}, got {kind_of(given)}") from error
    if ids.is_floating_point() or ids.is_complex() or ids.dtype == torch.bool:
        raise TypeError(f"{expected}, got {ids.dtype}")
    if ids.dim() != 1:
        raise ValueError(f"{expected}, got shape {tuple(ids.shape)}")
    return ids
