"""Translator training on a natural shift: back from dark or over-sharp images."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from touchstone.contracts import Model
from touchstone.numerics.tensors import RandomStreams

LUMA = (19595, 38470, 7471)  # PIL's weights of red, green and blue, over 65536


def shift_translation(
    model: Model,
    images: Tensor,
    labels: Tensor,
    generator: RandomStreams,
    *,
    shift: Literal["darker", "sharper"] = "darker",
) -> Tensor:
    """Train a translator to undo a natural shift.

    The shifts equal those of data/natural_shift bit for bit, with 8-bit rounding after each: darker is contrast 3.8, then
    brightness .1; sharper is sharpness 15.

    Args:
        model: the translator, images to images, being trained.
        images: (N, C, H, W) in [0, 1].
        labels: not used.
        generator: not used.
        shift: to undo.

    Returns:
        The mean over pixels of |model(shifted images) - images|.

    References:
        docs/papers/translation.md, "Natural shifts".
    """
    levels = (images * 255).round()
    levels = _dark(levels) if shift == "darker" else _sharp(levels)
    return (model(levels / 255) - images).abs().mean()


def _blend(first: Tensor, second: Tensor, factor: float) -> Tensor:
    """Return first + factor * (second - first) as PIL.Image.blend does.

    It is clipped to 0..255 and cut to whole levels.
    """
    return (first + factor * (second - first)).clamp(0, 255).floor()


def _dark(levels: Tensor) -> Tensor:
    gray = levels
    if levels.shape[1] == 3:
        gray = ((levels * levels.new_tensor(LUMA).view(1, 3, 1, 1)).sum(1, keepdim=True) / 65536 + 0.5).floor()
    mean = (gray.double().mean((1, 2, 3), keepdim=True) + 0.5).floor().to(levels.dtype)
    return _blend(torch.zeros_like(levels), _blend(mean, levels, 3.8), 0.1)


def _sharp(levels: Tensor) -> Tensor:
    # PIL.ImageFilter.SMOOTH: 5 for the pixel and 1 for each neighbour, over 13. Sums are whole numbers in float32, while a
    # convolution would round to what compute.precision says.
    rows = levels[..., :-2, :] + levels[..., 1:-1, :] + levels[..., 2:, :]
    squares = rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:]
    smooth = levels.clone()  # PIL does not change the border
    smooth[..., 1:-1, 1:-1] = ((squares + 4 * levels[..., 1:-1, 1:-1]) / 13 + 0.5).floor()
    return _blend(smooth, levels, 15.0)
