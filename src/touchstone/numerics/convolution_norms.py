"""Squared norms of convolution weight gradients, per example.

The cheapest of three exact routes computes them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import prod

import torch
from torch import Tensor
from torch.nn import functional

# Most values that a route allocates besides its inputs.
CHUNK = 1 << 18  # on a CPU, where what fits the cache was fastest
GPU_CHUNK = 1 << 26  # on a GPU, which is idle between small pieces of work; 256 MiB in float32


@dataclass(frozen=True)
class Window:
    """How a 2-d convolution slides.

    Attributes:
        kernel: height and width, as all the others.
        stride: in pixels.
        padding: in zeros.
        dilation: in pixels.
        groups: number of groups.
    """

    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int


def squared_norm(values: Tensor) -> Tensor:
    """Return the squared L2 norm of each row, (N,), for values (N, ...)."""
    norms: Tensor = torch.linalg.vector_norm(values.flatten(1), dim=1)
    return norms.square()


def weight_norms(inputs: Tensor, deltas: Tensor, window: Window) -> Tensor:
    """Return the squared L2 norm of each example's weight gradient, (N,).

    The gradients are not kept. With U the unfolded input, the gradient is deltas U^T. So its squared norm is also the inner
    product of two Gram matrices over positions, <U^T U, deltas^T deltas>. That is far cheaper if positions are few and
    channels many.

    Args:
        inputs: (N, C, H, W), the input of the convolution.
        deltas: (N, O, H', W'), the gradient at its output.
        window: of the convolution.

    References:
        docs/papers/gradient_detection.md, "Gradient features".
    """
    costs = _costs(inputs, deltas, window)
    return _ROUTES[min(costs, key=lambda route: costs[route])](inputs, deltas, window)


def _costs(inputs: Tensor, deltas: Tensor, window: Window) -> dict[str, float]:
    """Return each usable route's cost per example, in multiply-adds of a convolution.

    The factors were fitted to times measured on a CPU. They choose the route, never the result.
    """
    channels, outputs = inputs.shape[1], deltas.shape[1]
    pixels, positions, taps = prod(inputs.shape[2:]), prod(deltas.shape[2:]), prod(window.kernel)
    grouped = {"grouped": outputs * channels // window.groups * taps * positions + 2e5}
    if window.groups > 1:
        return grouped
    unfolded = channels * taps
    return grouped | {
        "gram": 2.0 * (positions**2 * (outputs + unfolded) + 4 * unfolded * positions),
        "shifted_gram": 2.1 * (pixels**2 * channels + positions**2 * (outputs + 4 * taps)),
    }


def _grouped(inputs: Tensor, deltas: Tensor, window: Window) -> Tensor:
    """Form the gradients: the library's weight gradient, with each example a group."""
    channels, outputs = inputs.shape[1], deltas.shape[1]
    shape = (outputs, channels // window.groups, *window.kernel)
    norms = []
    for part, delta in _chunks(prod(shape), inputs, deltas):
        count = len(part)
        # torch.nn.grad.conv2d_weight calls the same, but fills a whole weight of which only the shape is used.
        _, gradients, _ = torch.ops.aten.convolution_backward(
            delta.reshape(1, count * outputs, *delta.shape[2:]),
            part.reshape(1, count * channels, *part.shape[2:]),
            part.new_empty(count * outputs, *shape[1:]),
            None,
            window.stride,
            window.padding,
            window.dilation,
            False,
            (0, 0),
            count * window.groups,
            (False, True, False),
        )
        norms.append(squared_norm(gradients.view(count, -1)))
    return torch.cat(norms)


def _gram(inputs: Tensor, deltas: Tensor, window: Window) -> Tensor:
    """Take the Gram matrix of the unfolded input."""
    positions, unfolded = prod(deltas.shape[2:]), inputs.shape[1] * prod(window.kernel)
    norms = []
    for part, delta in _chunks(unfolded * positions + 2 * positions**2, inputs, deltas):
        norms.append(gram_norm(_unfold(part, window), delta.flatten(2)))
    return torch.cat(norms)


def gram_norm(left: Tensor, right: Tensor) -> Tensor:
    """Return ||left right^T||^2 per row, (N,), from (T, T) Gram matrices.

    Args:
        left: (N, A, T).
        right: (N, B, T).
    """
    grams = torch.bmm(left.mT, left) * torch.bmm(right.mT, right)
    return grams.sum((1, 2)).clamp(min=0)  # a vanishing norm may round below 0


def _unfold(inputs: Tensor, window: Window) -> Tensor:
    if window.kernel == (1, 1) and window.padding == (0, 0):
        return inputs[:, :, :: window.stride[0], :: window.stride[1]].flatten(2)
    return functional.unfold(inputs, window.kernel, window.dilation, window.padding, window.stride)


def _shifted_gram(inputs: Tensor, deltas: Tensor, window: Window) -> Tensor:
    """Take the Gram matrix of the plain input once, shifted by each tap of the kernel."""
    pixels, positions = inputs.shape[2:], deltas.shape[2:]
    norms = []
    for part, delta in _chunks(2 * prod(pixels) ** 2 + prod(positions) ** 2, inputs, deltas):
        part, delta = part.flatten(2), delta.flatten(2)
        left = torch.bmm(part.mT, part).view(-1, *pixels, *pixels)
        right = torch.bmm(delta.mT, delta).view(-1, *positions, *positions)
        norm = left.new_zeros(len(left))
        for tap in product(*map(range, window.kernel)):
            (rows, seen_rows), (columns, seen_columns) = (_seen(tap[d], d, pixels, positions, window) for d in (0, 1))
            shifted = left[:, seen_rows, seen_columns, seen_rows, seen_columns]
            norm = norm + (shifted * right[:, rows, columns, rows, columns]).sum((1, 2, 3, 4))
        norms.append(norm.clamp(min=0))  # a vanishing norm may round below 0
    return torch.cat(norms)


def _seen(tap: int, d: int, pixels: torch.Size, positions: torch.Size, window: Window) -> tuple[slice, slice]:
    """Return the output positions whose tap is inside the input, and those pixels.

    Both are slices along dimension d.
    """
    offset, stride = tap * window.dilation[d] - window.padding[d], window.stride[d]
    first = max(0, -(offset // stride))
    end = max(first, min(positions[d], (pixels[d] - 1 - offset) // stride + 1))
    start = first * stride + offset
    return slice(first, end), slice(start, start + (end - first) * stride, stride)


def _chunks(values_per_example: int, inputs: Tensor, deltas: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    most = CHUNK if inputs.device.type == "cpu" else GPU_CHUNK
    size = max(1, most // values_per_example)
    for start in range(0, len(inputs), size):
        yield inputs[start : start + size], deltas[start : start + size]


_ROUTES = {"grouped": _grouped, "gram": _gram, "shifted_gram": _shifted_gram}
