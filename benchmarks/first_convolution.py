"""Race: input gradients of first convolutions: torch's, the same layer folded into 2x2 blocks, and ours.

    python benchmarks/first_convolution.py [--rounds 40] [--threads 1]

More than half of an input gradient of the small CNN is the backward pass of its first convolution, which is slow in torch
for few input channels. There are two alternatives: padding, moving every 2x2 block of pixels into channels and a 2x2
convolution with stride 1 (`pixel_unshuffle`), which is the same function; or `input_gradients`, which leaves the layer
as it is and takes its gradient as a matrix product and a fold. All are compared to 1e-6, in values and input gradients,
before any time is measured. Processor time is per image: of an attack's pass (forward, input gradient, weights frozen)
through the small CNN, and of such a pass through single layers, which shows where ours pays. There is no goal: the race
decides where `input_gradients` is used. Writes first_convolution.json and .md into benchmarks/results/.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from unittest import mock

import torch
from torch import Tensor, nn
from torch.nn import functional

import pgd_speed
import racing
from racing import Results
from touchstone.models.small_cnn import small_cnn
from touchstone.numerics import input_gradients

SHAPES = ((1, 8, 8), (1, 28, 28), (3, 32, 32))
BATCHES = (64, 256, 1000)
REPEATS = 4  # passes per clock reading
TOLERANCE = 1e-6
# Channels in and out, kernel, stride, padding, side of the images: first layers of networks that are in use.
LAYERS = (
    (1, 16, 3, 2, 1, 28),
    (1, 16, 3, 1, 1, 28),
    (1, 6, 5, 1, 0, 28),
    (1, 64, 4, 2, 1, 28),
    (1, 64, 7, 2, 3, 64),
    (3, 16, 3, 2, 1, 32),
    (3, 64, 4, 2, 1, 64),
    (3, 16, 3, 1, 1, 32),
    (3, 64, 3, 1, 1, 32),
    (3, 64, 7, 2, 3, 64),
    (8, 32, 3, 2, 1, 32),
    (16, 32, 3, 2, 1, 14),
)
ROWS = 64  # images that single layers are given
Pass = Callable[[], object]
Layer = tuple[int, int, int, int, int, int]  # as in LAYERS


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


def contestants(model: nn.Module) -> dict[str, nn.Module]:
    """Return a small CNN as torch has it, with its first convolution folded, and with our backward pass; frozen."""
    model.requires_grad_(False)
    first, *others = model.children()
    assert isinstance(first, nn.Conv2d)
    ours = copy.deepcopy(model)
    input_gradients.speed_up(ours)
    return {"torch": model, "pixel_unshuffle": nn.Sequential(Folded(first), *others), "ours": ours}


def compare(networks: Mapping[str, nn.Module], images: Tensor, labels: Tensor) -> None:
    """Raise NotEqual unless logits and input gradients of all networks are torch's to TOLERANCE."""
    model = networks["torch"]
    gradient = pgd_speed.one_pass(model, images, labels)
    for name, other in networks.items():
        with torch.no_grad():
            values = float((other(images) - model(images)).abs().max())
        gradients = float((pgd_speed.one_pass(other, images, labels) - gradient).abs().max())
        racing.require(
            max(values, gradients) <= TOLERANCE, f"{name}: logits {values:.1e} and gradients {gradients:.1e} off"
        )


def attack_pass(shape: tuple[int, int, int], batch: int, rounds: int) -> Results:
    """Return the times per image of a pass through the small CNN; NotEqual where contestants are not the same."""
    torch.manual_seed(0)
    networks = contestants(small_cnn(shape, 10))
    images, labels = torch.rand(batch, *shape), torch.randint(10, (batch,))
    compare(networks, images, labels)
    passes = {name: partial(pgd_speed.one_pass, network, images, labels) for name, network in networks.items()}
    return {"shape": shape, "batch": batch, "microseconds": _per_image(passes, batch, rounds)}


def layer_pass(words: Layer, rounds: int) -> Results:
    """Return the times per image of a pass through one convolution, by torch and with our backward pass."""
    channels, width, kernel, stride, padding, side = words
    torch.manual_seed(0)
    plain = nn.Conv2d(channels, width, kernel, stride, padding).requires_grad_(False)
    ours = copy.deepcopy(plain)
    with mock.patch.object(input_gradients, "pays", return_value=True):  # where it does not, too: that is the question
        input_gradients.speed_up(ours)
    images = torch.rand(ROWS, channels, side, side)
    deltas = torch.randn(plain(images).shape)

    def gradient(layer: nn.Module) -> Tensor:
        points = images.detach().requires_grad_()
        (results,) = torch.autograd.grad(layer(points), points, deltas)
        return results

    expected = gradient(plain)
    off = float((gradient(ours) - expected).abs().max() / expected.abs().max())
    racing.require(off <= TOLERANCE, f"{words}: gradients differ by {off:.1e}")
    passes = {"torch": partial(gradient, plain), "ours": partial(gradient, ours)}
    return {"layer": words, "used": input_gradients.pays(plain), "microseconds": _per_image(passes, ROWS, rounds)}


def _per_image(passes: Mapping[str, Pass], batch: int, rounds: int) -> dict[str, float]:
    """Return the processor microseconds per image of each pass."""

    def repeated(run: Pass) -> None:
        for _ in range(REPEATS):
            run()

    taken = racing.interleaved(
        {name: partial(repeated, run) for name, run in passes.items()}, rounds, clock=racing.own_seconds
    )
    return {name: 1e6 * line["seconds"] / batch / REPEATS for name, line in taken.items()}


def measured(
    rounds: int,
    batches: Sequence[int] = BATCHES,
    layers: Sequence[Layer] = LAYERS,
) -> Results:
    """Return the races at every image shape and batch size, and of every layer."""
    return {
        "command": racing.command(),
        "machine": racing.machine(),
        "races": [attack_pass(shape, batch, rounds) for shape in SHAPES for batch in batches],
        "layers": [layer_pass(words, rounds) for words in layers],
        "goals": [],
    }


def page(results: Results) -> str:
    """Return the race as Markdown."""
    rows = []
    for one in results["races"]:
        taken = one["microseconds"]
        cells = [f"{taken[name]:.1f}" for name in ("torch", "pixel_unshuffle", "ours")]
        gains = [f"{taken['torch'] / taken[name]:.2f}" for name in ("pixel_unshuffle", "ours")]
        rows.append((" x ".join(map(str, one["shape"])), one["batch"], *cells, *gains))
    layers = []
    for one in results["layers"]:
        channels, width, kernel, stride, _, side = one["layer"]
        taken = one["microseconds"]
        layers.append(
            (
                f"{channels} to {width}, {kernel}x{kernel}, stride {stride}, {side}x{side}",
                channels * kernel**2,
                f"{taken['torch']:.1f}",
                f"{taken['ours']:.1f}",
                f"{taken['torch'] / taken['ours']:.2f}",
                "yes" if one["used"] else "no",
            )
        )
    what = (
        "Processor microseconds per image of a forward pass and an input gradient, weights frozen: through the small CNN,"
        " with torch's layers, with the first one folded into 2x2 blocks (`pixel_unshuffle`), and with our backward pass of"
        " it; then through single layers. `gain` is torch's time in units of the other's: above 1 the other is faster."
    )
    parts = (
        "## Small CNN",
        racing.table(("images", "batch", "torch", "pixel_unshuffle", "ours", "its gain", "our gain"), rows),
        "## Single layers",
        racing.table(("layer", "columns", "torch", "ours", "gain", "used"), layers),
    )
    return racing.page("Input gradients of first convolutions", what, results, *parts)


def main() -> None:
    """Run the race and write its tables."""
    options = racing.parser(__doc__, rounds=40).parse_args()
    racing.begin(options.threads)
    results = measured(options.rounds)
    racing.write(options.out, "first_convolution", results, page(results))


if __name__ == "__main__":
    main()
