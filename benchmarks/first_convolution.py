"""Race: the first convolution as it is, against the same function folded (pixel_unshuffle and a 2x2 convolution).

    python benchmarks/first_convolution.py [--rounds 40] [--threads 1]

More than half of an input gradient of the small CNN is the backward pass of its first convolution. Padding, moving every
2x2 block of pixels into channels and a 2x2 convolution with stride 1 is the same function; both are compared to 1e-6, in
values and input gradients, before any clock starts. The processor time of a pass is told per image, for what attacks do
(input gradient, frozen weights) and for what training does (weight gradients). No goal: it decides whether the small CNN
should be built so. Writes first_convolution.json and .md into benchmarks/results/.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

import racing
from racing import Found
from touchstone.models.small_cnn import small_cnn
from touchstone.tensors import frozen

SHAPES = ((1, 28, 28), (3, 32, 32))
BATCHES = (64, 128, 256, 1000)
REPEATS = 4  # passes per clock reading
TOLERANCE = 1e-6


class Folded(nn.Module):
    """A 3x3 convolution of stride 2 and padding 1 with another's weights, as a 2x2 convolution of 2x2 blocks."""

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__()
        self.weight, self.bias = convolution.weight, convolution.bias

    def forward(self, images: Tensor) -> Tensor:
        """Return what the convolution returns, of images (N, C, H, W) of even sides."""
        kernel = functional.pixel_unshuffle(functional.pad(self.weight, (0, 1, 0, 1)), 2)
        blocks = functional.pixel_unshuffle(functional.pad(images, (1, 1, 1, 1)), 2)
        return functional.conv2d(blocks, kernel, self.bias)


def folded(model: nn.Module) -> nn.Module:
    """Return the small CNN with its first convolution folded; weights are shared."""
    first, *others = model.children()
    assert isinstance(first, nn.Conv2d)
    return nn.Sequential(Folded(first), *others)


def attacking(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """Return the input gradient of the loss, weights frozen."""
    with frozen(model):
        points = images.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(functional.cross_entropy(model(points), labels, reduction="sum"), points)
    return gradient


def training(model: nn.Module, images: Tensor, labels: Tensor) -> None:
    """Have the gradients of all weights added to what they hold."""
    functional.cross_entropy(model(images), labels).backward()


def compare(model: nn.Module, other: nn.Module, images: Tensor, labels: Tensor) -> None:
    """Raise NotEqual unless logits and input gradients of two networks are the same to TOLERANCE."""
    with torch.no_grad():
        values = float((model(images) - other(images)).abs().max())
    gradients = float((attacking(model, images, labels) - attacking(other, images, labels)).abs().max())
    racing.require(
        max(values, gradients) <= TOLERANCE, f"folded: logits {values:.1e} and gradients {gradients:.1e} off"
    )


def race(shape: tuple[int, int, int], batch: int, rounds: int) -> Found:
    """Return the times per image of both networks, attacking and training; NotEqual where they are not the same."""
    torch.manual_seed(0)
    model = small_cnn(shape, 10)
    other = folded(model)
    images, labels = torch.rand(batch, *shape), torch.randint(10, (batch,))
    compare(model, other, images, labels)

    def repeated(run: partial[object]) -> None:
        for _ in range(REPEATS):
            run()

    runners = {
        f"{name}, {what.__name__}": partial(repeated, partial(what, network, images, labels))
        for name, network in (("as it is", model), ("folded", other))
        for what in (attacking, training)
    }
    taken = racing.interleaved(runners, rounds, clock=racing.own_seconds)
    each = {name: 1e6 * line["seconds"] / batch / REPEATS for name, line in taken.items()}
    return {"shape": shape, "batch": batch, "microseconds": each}


def measured(rounds: int, batches: tuple[int, ...] = BATCHES) -> Found:
    """Return the races at every image shape and batch size."""
    return {
        "command": racing.command(),
        "machine": racing.machine(),
        "races": [race(shape, batch, rounds) for shape in SHAPES for batch in batches],
        "goals": [],
    }


def page(found: Found) -> str:
    """Return the race as Markdown."""
    rows = []
    for one in found["races"]:
        taken = one["microseconds"]
        cells = []
        for what in ("attacking", "training"):
            plain, other = taken[f"as it is, {what}"], taken[f"folded, {what}"]
            cells += [f"{plain:.1f}", f"{other:.1f}", f"{plain / other:.2f}"]
        rows.append((" x ".join(map(str, one["shape"])), one["batch"], *cells))
    what = (
        "Processor microseconds per image of a forward and a backward pass of the small CNN. `gain` is the time as it is, in"
        " units of the folded network's: above 1 folding is faster."
    )
    columns = ("images", "batch", "attack: as it is", "folded", "gain", "training: as it is", "folded", "gain")
    return racing.page("The first convolution, folded", what, found, racing.table(columns, rows))


def main() -> None:
    """Run the race and write its tables."""
    asked = racing.parser(__doc__, rounds=40).parse_args()
    racing.begin(asked.threads)
    found = measured(asked.rounds)
    racing.write(asked.out, "first_convolution", found, page(found))


if __name__ == "__main__":
    main()
