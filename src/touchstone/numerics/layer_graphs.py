"""A network as a graph of affine layers, ReLUs, maxima and sums, in float64: what bounds are propagated through."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from touchstone.numerics.overwritten_layers import read_after_overwriting
from touchstone.numerics.tensors import Normalise

Box = tuple[Tensor, Tensor]  # the least and the greatest value of each unit, (N, *shape)


class Rows(NamedTuple):
    """Coefficients of M linear functions of a layer. Those outside a window are 0 and not stored.

    Attributes:
        values: (N, M, units), or (N, M, C, h, w) for channels of h x w positions; (1, ...) if all images share them.
        top: first row of positions.
        left: first column.
    """

    values: Tensor
    top: int = 0
    left: int = 0

    def of(self, layer: Tensor) -> Tensor:
        """Return the window of a layer (N, *shape), (N, 1, ...)."""
        if self.values.dim() < 5:
            return layer[:, None]
        height, width = self.values.shape[-2:]
        return layer[:, None, :, self.top : self.top + height, self.left : self.left + width]

    def dot(self, layer: Tensor) -> Tensor:
        """Return the functions at one layer (N, *shape), (N, M)."""
        return (self.values.flatten(2) @ self.of(layer).flatten(2).mT)[..., 0]

    def padded(self, shape: torch.Size) -> Tensor:
        """Return the values with the zeros outside the window, (N, M, *shape)."""
        bottom, right = (
            shape[axis] - start - self.values.shape[axis + 2] for axis, start in ((1, self.top), (2, self.left))
        )
        return functional.pad(self.values, (self.left, right, self.top, bottom))


class Affine(NamedTuple):
    """An affine layer: its action on a box's middle and radius, and its transpose.

    Attributes:
        middle: (N, *in) -> (N, *out).
        radius: the same for half the width of a box.
        back: rows over the outputs -> rows over the inputs, and constants (N, M).
    """

    middle: Callable[[Tensor], Tensor]
    radius: Callable[[Tensor], Tensor]
    back: Callable[[Rows], tuple[Rows, Tensor]]

    def box(self, before: Box) -> Box:
        """Return the smallest box around the image of a box."""
        middle, radius = self.middle((before[0] + before[1]) / 2), self.radius((before[1] - before[0]) / 2)
        return middle - radius, middle + radius


class Maximum(NamedTuple):
    """The maximum over windows of positions; what pads them is never the maximum."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]

    def windows(self, layer: Tensor) -> Tensor:
        """Return the units that each maximum is over, (N, C, units, h, w)."""
        rows, columns = self.padding
        padded = functional.pad(layer, (columns, columns, rows, rows), value=-torch.inf)
        parts = functional.unfold(padded, self.kernel, self.dilation, 0, self.stride)
        sizes = [
            (size - step * (width - 1) - 1) // stride + 1
            for size, step, width, stride in zip(padded.shape[2:], self.dilation, self.kernel, self.stride, strict=True)
        ]
        return parts.view(*layer.shape[:2], -1, *sizes)

    def back(self, parts: Tensor, shape: torch.Size) -> Tensor:
        """Return the sums over a layer (N, *shape) of what windows hold, (N, C, units, h, w): the transpose of `windows`."""
        sizes = tuple(size + 2 * pad for size, pad in zip(shape[1:], self.padding, strict=True))
        flat = parts.flatten(1, 2).flatten(2)
        padded = functional.fold(flat, sizes, self.kernel, self.dilation, 0, self.stride)
        (rows, columns), (height, width) = self.padding, shape[1:]
        return padded[:, :, rows : rows + height, columns : columns + width]


class Relu(NamedTuple):
    """max(x, 0)."""


class Sum(NamedTuple):
    """The sum of its two inputs."""


class Node(NamedTuple):
    """One layer: what it does to the layers `inputs`, counted from 0, the images."""

    layer: Affine | Maximum | Relu | Sum | None  # None: the images
    inputs: tuple[int, ...]


class Unbounded(ValueError):
    """A network has a layer that no bounds are known for."""


class _Tracer(fx.Tracer):
    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        return isinstance(module, Normalise) or super().is_leaf_module(module, name)


def layer_graph(model: nn.Module, images: Tensor) -> list[Node]:
    """Return the layers of a network in the order in which they are computed; the last are its logits.

    Args:
        model: in eval mode.
        images: (N, C, H, W); only their shape and device are used.

    Raises:
        ValueError: names the first layer that is neither affine nor a ReLU, a maximum over positions or a sum, or that
            changes in place what another layer reads.
    """
    try:
        graph = _Tracer().trace(model)
    except (fx.proxy.TraceError, TypeError, RuntimeError) as error:
        names = (
            type(part).__name__ for part in model.modules() if getattr(nn, type(part).__name__, None) is not type(part)
        )
        kind = next(names, "network")  # the first that is no layer of torch
        raise Unbounded(f"no linear bounds for {kind}: {str(error).splitlines()[0]}") from error
    modules = dict(model.named_modules())
    nodes: list[Node] = []
    places: dict[fx.Node, int] = {}
    shapes: list[torch.Size] = []
    with torch.no_grad():
        for node in graph.nodes:
            sources = [places[source] for source in node.all_input_nodes]
            if node.op == "placeholder":
                layer, shape = None, images.shape[1:]
            elif node.op == "output":
                return [*nodes, *([] if sources == [len(nodes) - 1] else [_identity(sources[0])])]
            else:
                module = modules[node.target] if node.op == "call_module" else _as_module(node)
                if isinstance(module, nn.Identity | nn.Dropout | nn.Dropout2d):  # the identity in eval mode
                    places[node] = sources[0]
                    continue
                if read_after_overwriting(node, module, modules):
                    raise Unbounded(f"no linear bounds for {node.name}: it changes in place what another layer reads")
                layer = _layer(module, shapes[sources[0]], images.device)
                shape = _shape(layer, shapes[sources[0]], images.device)
                if any(shapes[source] != shapes[sources[0]] for source in sources):
                    raise Unbounded("no linear bounds for the sum of layers of different shapes")
            if isinstance(layer, Sum) and len(sources) == 1:
                sources *= 2  # x + x
            places[node] = len(nodes)
            nodes.append(Node(layer, tuple(sources)))
            shapes.append(shape)
    raise AssertionError("a traced graph ends with its output")


def _identity(place: int) -> Node:
    return Node(Affine(lambda x: x, lambda r: r, lambda rows: (rows, rows.values.new_zeros(()))), (place,))


def _as_module(node: fx.Node) -> nn.Module | type[Sum]:
    """Return the module that does what a function or a method of a traced network does."""
    target: Any = node.target
    plain = not node.kwargs or set(node.kwargs) <= {"inplace"}
    if target in (torch.relu, functional.relu, "relu") and plain:
        return nn.ReLU()
    if (
        target in (operator.add, operator.iadd, torch.add, "add")
        and plain
        and all(isinstance(a, fx.Node) for a in node.args)
    ):
        return Sum
    if target in (torch.flatten, "flatten") and (node.args[1:] == (1,) or node.kwargs == {"start_dim": 1}):
        return nn.Flatten()
    raise Unbounded(f"no linear bounds for {getattr(target, '__name__', target)}: {ALLOWED}")


ALLOWED = "a network has to consist of affine layers, ReLUs, poolings and sums"


def _shape(layer: Affine | Maximum | Relu | Sum, before: torch.Size, device: torch.device) -> torch.Size:
    example = torch.zeros(1, *before, dtype=torch.float64, device=device)
    if isinstance(layer, Affine):
        return layer.middle(example).shape[1:]
    return layer.windows(example).amax(2).shape[1:] if isinstance(layer, Maximum) else before


def _layer(module: nn.Module | type[Sum], shape: torch.Size, device: torch.device) -> Affine | Maximum | Relu | Sum:
    if module is Sum:
        return Sum()
    if isinstance(module, nn.ReLU):
        return Relu()
    if isinstance(module, nn.Flatten) and (module.start_dim, module.end_dim) == (1, -1):
        return Affine(
            lambda x: x.flatten(1),
            lambda r: r.flatten(1),
            lambda rows: (Rows(rows.values.view(*rows.values.shape[:2], *shape)), rows.values.new_zeros(())),
        )
    if isinstance(module, nn.Linear) and len(shape) == 1:
        weight, bias = module.weight.detach().double(), _bias(module.bias, module.weight)
        return Affine(
            lambda x: x @ weight.T + bias,
            lambda r: r @ weight.abs().T,
            lambda rows: (Rows(rows.values @ weight), rows.values @ bias),
        )
    if isinstance(module, nn.Conv2d) and module.padding_mode == "zeros":
        if isinstance(module.padding, str):
            raise Unbounded(f"no linear bounds for a convolution with padding {module.padding!r}: give it in pixels")
        if any(p > d * (k - 1) for p, d, k in zip(module.padding, module.dilation, module.kernel_size, strict=True)):
            raise Unbounded("no linear bounds for a convolution of which a unit sees nothing but padding")
        weight, bias = module.weight.detach().double(), _bias(module.bias, module.weight)
        return _convolution(weight, bias, module.stride, module.padding, module.dilation, module.groups, shape)
    if isinstance(module, nn.AvgPool2d | nn.AdaptiveAvgPool2d):
        return _mean(module, shape, device)
    if isinstance(module, nn.MaxPool2d):
        if module.ceil_mode or module.return_indices:
            raise Unbounded("no linear bounds for MaxPool2d with ceil_mode or return_indices")
        return Maximum(*map(_pair, (module.kernel_size, module.stride, module.padding, module.dilation)))
    if isinstance(module, Normalise):
        scale = 1 / module.std.double()
        return _scaled(scale, -module.mean.double() * scale)
    if isinstance(module, nn.BatchNorm2d) and module.running_mean is not None and module.running_var is not None:
        scale = (module.running_var.double() + module.eps).rsqrt()
        shift = -module.running_mean.double() * scale
        if module.affine:
            scale, shift = scale * module.weight.double(), shift * module.weight.double() + module.bias.double()
        return _scaled(scale.detach().view(1, -1, 1, 1), shift.detach().view(1, -1, 1, 1))
    raise Unbounded(f"no linear bounds for {type(module).__name__}: {ALLOWED}")


def _bias(bias: Tensor | None, weight: Tensor) -> Tensor:
    return weight.new_zeros(len(weight), dtype=torch.float64) if bias is None else bias.detach().double()


def _scaled(scale: Tensor, shift: Tensor) -> Affine:
    return Affine(
        lambda x: x * scale + shift,
        lambda r: r * scale.abs(),
        lambda rows: (rows._replace(values=rows.values * scale), rows.values.flatten(3).sum(3) @ shift.flatten()),
    )


def _mean(module: nn.AvgPool2d | nn.AdaptiveAvgPool2d, shape: torch.Size, device: torch.device) -> Affine:
    """Return the convolution that takes the mean of each channel."""
    if isinstance(module, nn.AdaptiveAvgPool2d):
        if module.output_size not in (1, (1, 1)):
            raise Unbounded("no linear bounds for AdaptiveAvgPool2d of another output size than 1")
        kernel, stride = tuple(shape[1:]), tuple(shape[1:])
    else:
        kernel, stride = _pair(module.kernel_size), _pair(module.stride)
        if _pair(module.padding) != (0, 0) or module.ceil_mode or module.divisor_override:
            raise Unbounded("no linear bounds for AvgPool2d with padding, ceil_mode or divisor_override")
    weight = torch.full((shape[0], 1, *kernel), 1 / (kernel[0] * kernel[1]), dtype=torch.float64, device=device)
    return _convolution(weight, weight.new_zeros(shape[0]), stride, (0, 0), (1, 1), shape[0], shape)


def _pair(size: int | tuple[int, ...]) -> tuple[int, ...]:
    return (size, size) if isinstance(size, int) else tuple(size)


def _convolution(
    weight: Tensor,
    bias: Tensor,
    stride: tuple[int, ...],
    padding: tuple[int, ...],
    dilation: tuple[int, ...],
    groups: int,
    shape: torch.Size,
) -> Affine:
    def forward(images: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return functional.conv2d(images, weight, bias, stride, padding, dilation, groups)

    def back(rows: Rows) -> tuple[Rows, Tensor]:
        # A unit sees only the positions below its kernel: the window grows by it, and loses what lies in the padding.
        flat = rows.values.flatten(0, 1)
        whole = functional.conv_transpose2d(flat, weight, None, stride, 0, 0, groups, dilation)
        starts = [at * step - pad for at, step, pad in zip((rows.top, rows.left), stride, padding, strict=True)]
        (top, bottom), (left, right) = (
            (max(0, start), min(size, start + length))
            for start, size, length in zip(starts, shape[1:], whole.shape[2:], strict=True)
        )
        values = whole[:, :, top - starts[0] : bottom - starts[0], left - starts[1] : right - starts[1]]
        constant = rows.values.flatten(3).sum(3) @ bias
        return Rows(values.reshape(*rows.values.shape[:2], *values.shape[1:]), top, left), constant

    return Affine(lambda x: forward(x, weight, bias), lambda r: forward(r, weight.abs(), None), back)
