"""Faster input gradients on a CPU, for convolutions with few input channels."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.hooks import RemovableHandle

MOST_COLUMNS = (
    48  # input channels times kernel area; with more, some layers lose (benchmarks/results/first_convolution.md)
)


def speed_up(model: nn.Module) -> list[RemovableHandle]:
    """Make a network's input gradients cheaper, until the returned hooks are removed.

    Outputs stay the same bit for bit. Gradients equal torch's up to rounding, and have a second derivative. Only layers
    whose weights need no gradient change, only on a CPU, and only where it pays: 1.4 to 3 times for a first convolution of
    grey images, half of an attack's pass through a small network (docs/cluster.md).

    Returns:
        The handles of the hooks; call `remove` on each.
    """
    # The first of the hooks, because another one may replace the output.
    return [
        module.register_forward_hook(_with_our_backward, prepend=True) for module in model.modules() if pays(module)
    ]


def pays(module: nn.Module) -> bool:
    """Return whether matrix product and fold beat torch's input gradient of a layer."""
    if type(module) is not nn.Conv2d or module.groups != 1 or isinstance(module.padding, str):
        return False
    if "forward" in vars(module):  # it computes something else
        return False
    columns = module.weight[0].numel()
    # On colour images, layers without stride lose as often as they gain.
    strided = module.in_channels == 1 or min(module.stride) > 1
    return columns <= MOST_COLUMNS and strided and module.padding_mode == "zeros"


def _with_our_backward(module: nn.Conv2d, arguments: tuple[Tensor, ...], output: Tensor) -> Tensor | None:
    """Return the output with our backward pass; None keeps torch's."""
    images = arguments[0]
    wanted = images.requires_grad and output.requires_grad and not module.weight.requires_grad
    if not wanted or images.dim() != 4 or images.device.type != "cpu":
        return None
    replaced: Tensor = _Folding.apply(images, output.detach(), module.weight, module)
    return replaced


class _Folding(torch.autograd.Function):
    """The identity on a convolution's output, with our own backward pass.

    The gradient is weight^T deltas, each column added to the window that it came from.
    """

    @staticmethod
    def forward(ctx: Any, images: Tensor, output: Tensor, weight: Tensor, layer: nn.Conv2d) -> Tensor:
        """Return the output."""
        ctx.save_for_backward(weight)
        ctx.window = images.shape[2:], layer.kernel_size, layer.dilation, layer.padding, layer.stride
        return output.detach()

    @staticmethod
    def backward(ctx: Any, deltas: Tensor) -> tuple[Tensor, None, None, None]:
        """Return the gradient in the images."""
        (weight,) = ctx.saved_tensors
        columns = torch.matmul(weight.flatten(1).mT.to(deltas.dtype), deltas.flatten(2))
        return functional.fold(columns, *ctx.window), None, None, None
