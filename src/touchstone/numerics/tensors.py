"""Plain tensor operations: random streams, batches, frozen networks, 8-bit grid.

No function here may know an attack, a detector or a label.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from touchstone.numerics import input_gradients

GRID = 255  # 8-bit images


def derive(seed: int, stream: str) -> int:
    """Return a 63-bit key for one stream (init, order, attack, augment) of one seed."""
    digest = hashlib.sha256(f"{seed}/{stream}".encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


def _mix(values: Tensor) -> Tensor:
    """Return the splitmix64 finaliser of each int64 (Steele et al. 2014).

    int64 arithmetic wraps around, as it must.
    """
    for shift, factor in ((30, -0x40A7B892E31B1A47), (27, -0x6B2FB644ECCEEE15)):
        values = (values ^ ((values >> shift) & ((1 << (64 - shift)) - 1))) * factor
    return values ^ ((values >> 31) & ((1 << 33) - 1))


def check_finite(name: str, rows: Tensor) -> None:
    """Raise ValueError if any row of a tensor (N, ...) holds NaN or infinity; the message counts these rows."""
    unusable = ~rows.isfinite()
    if rows.dim() > 1:
        unusable = unusable.flatten(1).any(1)
    if count := int(unusable.sum()):
        raise ValueError(f"{name}: {count} of {unusable.numel()} rows hold NaN or infinity")


class RandomStreams:
    """One random stream per example, keyed by its id.

    Batches and order therefore change nothing. It is the `generator` of every component, and each call advances all its
    streams by one draw.

    Args:
        seed: of the job.
        stream: its name, such as "attack"; see `derive`.
        example_ids: (N,) integers.
    """

    def __init__(self, seed: int, stream: str, example_ids: Tensor) -> None:
        self.key = derive(seed, stream)
        self.example_ids = example_ids.to(torch.int64)
        self.count = 0

    def __len__(self) -> int:
        return len(self.example_ids)

    def take(self, rows: Tensor) -> RandomStreams:
        """Return the streams of some rows (indices or a mask), at the same position."""
        part = RandomStreams.__new__(RandomStreams)
        part.key, part.count, part.example_ids = self.key, self.count, self.example_ids[rows]
        return part

    def _bits(self, shape: Sequence[int]) -> Tensor:
        self.count += 1
        size = 1
        for length in shape:
            size *= length
        ids = self.example_ids
        streams = _mix(_mix(ids + self.key) + self.count)  # (N,)
        positions = torch.arange(1, size + 1, dtype=torch.int64, device=ids.device) * -0x61C8864680B583EB
        return _mix(streams[:, None] + positions).view(len(ids), *shape)

    def uniform(self, shape: Sequence[int], dtype: torch.dtype = torch.float32) -> Tensor:
        """Return (N, *shape) values in [0, 1), on the device of the ids."""
        bits = 24 if dtype == torch.float32 else 53
        return ((self._bits(shape) >> (64 - bits)) & ((1 << bits) - 1)).to(dtype) * (1.0 / (1 << bits))

    def normal(self, shape: Sequence[int], dtype: torch.dtype = torch.float32) -> Tensor:
        """Return (N, *shape) standard normal values (Box-Muller, from two draws)."""
        radius = (-2.0 * torch.log1p(-self.uniform(shape, dtype))).sqrt()
        return radius * torch.cos(2 * torch.pi * self.uniform(shape, dtype))

    def signs(self, shape: Sequence[int], dtype: torch.dtype = torch.float32) -> Tensor:
        """Return (N, *shape) values of -1 or +1."""
        return torch.where(self.uniform(shape) < 0.5, -1.0, 1.0).to(dtype)

    def integers(self, high: int, shape: Sequence[int] = ()) -> Tensor:
        """Return (N, *shape) int64 values in [0, high)."""
        return (self.uniform(shape, torch.float64) * high).to(torch.int64).clamp_(max=high - 1)


def uniform_between(low: Tensor, high: Tensor, generator: RandomStreams) -> Tensor:
    """Return a uniform point of each box [low, high], (N, ...), never outside it."""
    return torch.minimum(torch.maximum(low + (high - low) * generator.uniform(low.shape[1:], low.dtype), low), high)


@contextmanager
def seeded(seed: int, stream: str) -> Iterator[None]:
    """Seed torch's global generator for a block, and restore its state afterwards.

    It serves initialisation and dropout, which cannot take a generator.
    """
    devices = list(range(torch.cuda.device_count()))
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(derive(seed, stream))
        yield


@contextmanager
def frozen(model: object) -> Iterator[None]:
    """Put a network into eval mode with frozen parameters, for a block.

    Modes, flags and gradients are restored afterwards. Inside the block, input gradients are the cheaper ones of
    `input_gradients`. Anything that is not a torch module, such as a plain function, is ignored.
    """
    if not isinstance(model, nn.Module):
        yield
        return
    modes = [(module, module.training) for module in model.modules()]
    flags = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    hooks = input_gradients.speed_up(model)
    try:
        if any(training for _, training in modes):
            model.eval()
        for parameter, flag in flags:
            if flag:
                parameter.requires_grad_(False)
        yield
    finally:
        for hook in hooks:
            hook.remove()
        for module, training in modes:
            if module.training != training:
                module.training = training
        for parameter, flag in flags:
            if parameter.requires_grad != flag:
                parameter.requires_grad_(flag)


def batches(size: int, *tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Yield consecutive slices of `size` rows of all tensors together."""
    for start in range(0, len(tensors[0]), size):
        yield tuple(tensor[start : start + size] for tensor in tensors)


def to_grid(images: Tensor) -> Tensor:
    """Return the nearest images on the 1/255 grid."""
    return (images * GRID).round() / GRID


def to_grid_towards(images: Tensor, anchor: Tensor) -> Tensor:
    """Return images on the 1/255 grid, each value rounded towards `anchor`.

    The anchor is itself on the grid, so no distance to it grows.
    """
    steps = (images - anchor) * GRID
    nearest = steps.round()
    # A value on the grid, up to float error, stays; all others move towards the anchor.
    whole = torch.where((steps - nearest).abs() < 1e-4, nearest, steps.trunc())
    return ((anchor * GRID).round() + whole).clamp(0, GRID) / GRID


class Normalise(nn.Module):
    """(images - mean) / std per channel, inside the network.

    So everything outside the network works in pixel units.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Return normalised images of the same shape."""
        return (images - self.mean) / self.std


def with_normalisation(network: nn.Module, mean: Sequence[float], std: Sequence[float]) -> nn.Sequential:
    """Return `network` behind its normalisation; it then takes pixels in [0, 1]."""
    return nn.Sequential(Normalise(mean, std), network)


def per_row(values: Tensor, like: Tensor) -> Tensor:
    """Return values (N,) as (N, 1, ..., 1), which broadcasts over `like` (N, ...)."""
    return values.view(-1, *[1] * (like.dim() - 1))


def row_norms(rows: Tensor, norm: str) -> Tensor:
    """Return the L-inf or L2 norm of each row of (N, ...), (N,)."""
    flat = rows.flatten(1)
    return flat.abs().amax(1) if norm == "linf" else flat.norm(dim=1)
