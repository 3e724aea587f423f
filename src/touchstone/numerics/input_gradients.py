"""Input gradients of convolutions with few input channels, on a CPU in a fraction of torch's time."""

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
    """Return the handles of hooks that make a network's input gradients cheaper; `remove` each to undo it.

    Outputs stay what they are, bit for bit. Gradients are torch's up to rounding, and have a second derivative. Layers
    change alone where their weights need no gradient, on a CPU, and where it pays: 1.4 to 3 times for a first convolution
    of gray images, which is half of an attack's pass through a small network (docs/speed.md).
    """
    return [module.register_forward_hook(_with_our_backward) for module in model.modules() if pays(module)]


def pays(module: nn.Module) -> bool:
    """Return whether torch's input gradient of a layer is slower than the matrix product and the fold."""
    if type(module) is not nn.Conv2d or module.groups != 1 or isinstance(module.padding, str):
        return False
    columns = module.weight[0].numel()
    # Of colour images, layers that do not stride lose as often as they gain.
    strided = module.in_channels == 1 or min(module.stride) > 1
    return columns <= MOST_COLUMNS and strided and module.padding_mode == "zeros"


def _with_our_backward(module: nn.Conv2d, arguments: tuple[Tensor, ...], output: Tensor) -> Tensor | None:
    """Return the output with our backward pass behind it; None where torch's is to stay."""
    images = arguments[0]
    wanted = images.requires_grad and output.requires_grad and not module.weight.requires_grad
    if not wanted or images.dim() != 4 or images.device.type != "cpu":
        return None
    replaced: Tensor = _Folding.apply(images, output.detach(), module.weight, module)
    return replaced


class _Folding(torch.autograd.Function):
    """A convolution's output as it is. Back goes weight^T deltas, each column added to the window that it came from."""

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
