"""Linear bounds on a feed-forward network within a box of images (CROWN).

They are sound: no image in the box violates them, whatever an attack finds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.grad import conv2d_input

from touchstone.numerics.tensors import Normalise

WIDE = 512  # units above which a hidden layer gets interval bounds: linear ones cost a backward pass per unit


class Affine(NamedTuple):
    """An affine layer: its action on a box's middle and radius, and its transpose."""

    middle: Callable[[Tensor], Tensor]
    radius: Callable[[Tensor], Tensor]
    back: Callable[[Tensor], tuple[Tensor, Tensor]]  # (N, M, *out) -> (N, M, *in), (N, M)


Layer = Affine | None  # None is a ReLU


def layers(model: nn.Module, images: Tensor) -> list[Layer]:
    """Return the affine layers and ReLUs that `model` is a chain of, in float64.

    Args:
        model: a network of nested nn.Sequential.
        images: (N, C, H, W); only their shape is used.

    Raises:
        ValueError: names the first module that is neither affine nor ReLU.
    """
    chain: list[Layer] = []
    shape = images.shape[1:]
    for module in _flat(model):
        if isinstance(module, nn.ReLU):
            chain.append(None)
            continue
        affine = _affine(module, shape)
        chain.append(affine)
        shape = affine.middle(images.new_zeros(1, *shape, dtype=torch.float64)).shape[1:]
    return chain


def _flat(module: nn.Module) -> Iterator[nn.Module]:
    if isinstance(module, nn.Sequential):
        for part in module:
            yield from _flat(part)
    elif not isinstance(module, nn.Identity | nn.Dropout):  # both are the identity in eval mode
        yield module


def _affine(module: nn.Module, shape: torch.Size) -> Affine:
    if isinstance(module, nn.Flatten):
        return Affine(
            lambda x: x.flatten(1), lambda r: r.flatten(1), lambda a: (a.view(*a.shape[:2], *shape), a.new_zeros(()))
        )
    if isinstance(module, nn.Linear):
        weight, bias = module.weight.detach().double(), _bias(module.bias, module.weight)
        return Affine(lambda x: x @ weight.T + bias, lambda r: r @ weight.abs().T, lambda a: (a @ weight, a @ bias))
    if isinstance(module, nn.Conv2d) and module.groups == 1 and module.padding_mode == "zeros":
        return _convolution(module, shape)
    if isinstance(module, Normalise):
        scale = 1 / module.std.double()
        return _scaled(scale, -module.mean.double() * scale)
    if isinstance(module, nn.BatchNorm2d) and module.running_mean is not None and module.running_var is not None:
        scale = (module.running_var.double() + module.eps).rsqrt()
        shift = -module.running_mean.double() * scale
        if module.affine:
            scale, shift = scale * module.weight.double(), shift * module.weight.double() + module.bias.double()
        return _scaled(scale.detach().view(1, -1, 1, 1), shift.detach().view(1, -1, 1, 1))
    raise ValueError(f"no linear bounds for {type(module).__name__}: the network has to be a chain of affine and ReLU")


def _bias(bias: Tensor | None, weight: Tensor) -> Tensor:
    return weight.new_zeros(len(weight), dtype=torch.float64) if bias is None else bias.detach().double()


def _scaled(scale: Tensor, shift: Tensor) -> Affine:
    return Affine(
        lambda x: x * scale + shift,
        lambda r: r * scale.abs(),
        lambda a: (a * scale, (a * shift).flatten(2).sum(2)),
    )


def _convolution(module: nn.Conv2d, shape: torch.Size) -> Affine:
    weight, bias = module.weight.detach().double(), _bias(module.bias, module.weight)
    if isinstance(module.padding, str):
        raise ValueError(
            f"no linear bounds for a convolution with padding {module.padding!r}: give the padding in pixels"
        )
    stride, padding, dilation = module.stride, module.padding, module.dilation

    def forward(images: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return functional.conv2d(images, weight, bias, stride, padding, dilation)

    def back(rows: Tensor) -> tuple[Tensor, Tensor]:
        flat = rows.flatten(0, 1)
        before = conv2d_input([len(flat), *shape], weight, flat, stride, padding, dilation)  # type: ignore[no-untyped-call]
        return before.view(*rows.shape[:2], *shape), rows.flatten(3).sum(3) @ bias

    return Affine(lambda x: forward(x, weight, bias), lambda r: forward(r, weight.abs(), None), back)


def least_lead(chain: list[Layer], low: Tensor, high: Tensor, predictions: Tensor) -> Tensor:
    """Return a lower bound on the prediction's lead over all other classes, (N,).

    It bounds z_prediction - z_other over the box [low, high]. Each ReLU is enclosed by two lines, from bounds on its input:
    linear ones if the layer has at most 512 units, otherwise interval arithmetic. The bound is exact up to rounding for a
    network without ReLU.

    Args:
        chain: of `layers`.
        low: (N, C, H, W), the lower corner of each box.
        high: (N, C, H, W), the upper corner.
        predictions: (N,) int64.

    References:
        Zhang et al. 2018 (CROWN).
    """
    low, high = low.double(), high.double()
    relus: dict[int, tuple[Tensor, Tensor]] = {}
    middle, radius = (low + high) / 2, (high - low) / 2
    for place, layer in enumerate(chain):
        if layer is not None:
            middle, radius = layer.middle(middle), layer.radius(radius)
            continue
        least, most = middle - radius, middle + radius
        if relus and least[0].numel() <= WIDE:
            unit = torch.eye(least[0].numel(), dtype=least.dtype, device=least.device)
            rows = unit.view(1, len(unit), *least.shape[1:]).expand(len(least), *[-1] * least.dim())
            least = torch.maximum(least, _lower(chain[:place], rows, relus, low, high).view_as(least))
            most = torch.minimum(most, -_lower(chain[:place], -rows, relus, low, high).view_as(most))
        relus[place] = least, torch.maximum(least, most)
        middle = (least.clamp_min(0) + relus[place][1].clamp_min(0)) / 2
        radius = (relus[place][1].clamp_min(0) - least.clamp_min(0)) / 2
    classes = middle.shape[1]
    leads = functional.one_hot(predictions, classes).double()[:, None] - torch.eye(
        classes, dtype=low.dtype, device=low.device
    )
    bounds = _lower(chain, leads, relus, low, high)
    return bounds.scatter(1, predictions[:, None], torch.inf).amin(1)


def _lower(
    chain: list[Layer], rows: Tensor, relus: dict[int, tuple[Tensor, Tensor]], low: Tensor, high: Tensor
) -> Tensor:
    """Return a lower bound, (N, M), on rows (N, M, ...) times the chain's output.

    It is valid anywhere in the box [low, high].
    """
    constant = rows.new_zeros(())
    for place in range(len(chain) - 1, -1, -1):
        layer = chain[place]
        if layer is not None:
            rows, more = layer.back(rows)
            constant = constant + more
            continue
        least, most = (end[:, None] for end in relus[place])
        upper = (most.clamp_min(0) / (most - least).clamp_min(1e-300)).where(least < 0, torch.ones_like(most))
        upper = upper.where(most > 0, torch.zeros_like(most))
        # Below an undecided ReLU any line through 0 of slope 0 to 1 is sound; this one encloses the least area.
        lower = torch.where(most > -least, 1.0, 0.0).where(least < 0, torch.ones_like(most))
        down = rows.clamp_max(0)
        constant = constant + (down * upper * (-least).clamp_min(0)).flatten(2).sum(2)
        rows = rows.clamp_min(0) * lower + down * upper
    flat = rows.flatten(2)
    ends = (low.flatten(1)[:, :, None], high.flatten(1)[:, :, None])
    return (flat.clamp_min(0) @ ends[0] + flat.clamp_max(0) @ ends[1])[:, :, 0] + constant
