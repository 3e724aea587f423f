"""Cost of one ImageNet image for a ResNet-50, in units of its forward pass, and an estimate for a thousand networks.

    python benchmarks/imagenet_costs.py [--images 4] [--side 224] [--rounds 3] [--threads 1]

Processor seconds per image of a plain pass, of a pass with the gradient in the image (a step of PGD), of the reading of
gradient norms (the step infer), and of a digest. Their ratios are properties of the network; how many plain passes a GPU
does in a second is assumed, as are the other figures in ASSUMED, since no GPU was at hand. Needs torchvision (its
ResNet-50, random weights). Writes imagenet_costs.json and .md into benchmarks/results/.
"""

from __future__ import annotations

import hashlib

import torch

import racing
from racing import Results
from touchstone.attacks.adversary.losses import cross_entropy
from touchstone.models.networks.readouts import read_out
from touchstone.numerics import tensors

CONFOUNDING = {"softmax_all": {"variant": "softmax", "ones": None, "draws": None}}
IMAGES, SIDE = 50_000, 224  # of ImageNet's validation set
ASSUMED = {
    "networks": 1000,
    "GPUs": 100,
    "plain passes of a GPU in a second": 1000,  # 8.2 GFLOP each: 8 TFLOP/s in float32, without TF32
    "steps of PGD": 40,
    "gradient passes of a margin": 160,  # 20 slopes, then 3 classes of 40 steps and their bisections
    "GB/s of shared storage": 5,
}


def seconds_per_image(images: int, side: int, rounds: int) -> Results:
    """Return the least processor seconds per image of each kind of pass, and per GB of a SHA-256."""
    from torchvision.models import resnet50

    torch.manual_seed(0)
    model = tensors.with_normalisation(resnet50().eval(), (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)).eval()
    batch = torch.rand(images, 3, side, side)
    labels = torch.arange(images)

    def plain() -> None:
        with torch.no_grad():
            model(batch)

    def gradient() -> None:
        with tensors.frozen(model):
            points = batch.clone().requires_grad_()
            torch.autograd.grad(cross_entropy(model(points), labels).sum(), points)

    def norms() -> None:
        read_out(model, batch, CONFOUNDING, names=["logits", "features", "gradient_norms.softmax_all"])

    data = bytes(1 << 26)
    taken = racing.interleaved({"plain": plain, "gradient": gradient, "norms": norms}, rounds, clock=racing.own_seconds)
    results = {name: line["least"] / images for name, line in taken.items()}
    return results | {"digest_per_gb": racing.own_seconds(lambda: hashlib.sha256(data).digest()) / len(data) * 1e9}


def scaled(cost: Results) -> Results:
    """Return what a thousand networks would take, from measured ratios and assumed rates; times in hours."""
    images = IMAGES * ASSUMED["networks"]
    steps, margin = ASSUMED["steps of PGD"], ASSUMED["gradient passes of a margin"]
    gradient, norms = (cost[name] / cost["plain"] for name in ("gradient", "norms"))
    passes = {
        "attack: PGD": (steps + 1) * gradient,
        "infer: clean images": norms,
        "infer: attacked images": norms + 1,  # and the logits of those that are not on the grid
        "measure: nearest_classes": margin * gradient,
    }
    rate = ASSUMED["plain passes of a GPU in a second"] * ASSUMED["GPUs"]
    hours = {name: images * each / rate / 3600 for name, each in passes.items()}
    image = 3 * SIDE * SIDE * 4
    attacked = 2 * image * IMAGES  # on the grid, and as the attack left them
    moved = ASSUMED["networks"] * attacked * 2  # written by attack, read by infer
    return {
        "passes": passes,
        "hours": hours,
        "clean_gb": image * IMAGES / 1e9,
        "attacked_gb": attacked / 1e9,
        "moved_hours": moved / 1e9 / ASSUMED["GB/s of shared storage"] / 3600,
    }


def measured(images: int, side: int, rounds: int) -> Results:
    """Return costs per image and what follows from them."""
    cost = seconds_per_image(images, side, rounds)
    return {
        "command": racing.command(),
        "machine": racing.machine("torchvision"),
        "cost": cost,
        "assumed": ASSUMED,
        "scaled": scaled(cost),
        "goals": [],
    }


def page(results: Results) -> str:
    """Return the costs as Markdown."""
    cost, scaled = results["cost"], results["scaled"]
    costs = [
        (name, f"{cost[name]:.3f}", f"{cost[name] / cost['plain']:.2f}") for name in ("plain", "gradient", "norms")
    ]
    assumed = list(results["assumed"].items())
    hours = [(name, f"{scaled['passes'][name]:.1f}", f"{hours:.1f}") for name, hours in scaled["hours"].items()] + [
        ("all", f"{sum(scaled['passes'].values()):.1f}", f"{sum(scaled['hours'].values()):.1f}")
    ]
    rest = [
        ("GB of clean images", f"{scaled['clean_gb']:.0f}"),
        ("GB of attacked images, of each network and attack", f"{scaled['attacked_gb']:.0f}"),
        ("hours to write and read those of all networks", f"{scaled['moved_hours']:.1f}"),
        ("processor seconds of a digest, per GB (measured)", f"{cost['digest_per_gb']:.2f}"),
    ]
    return racing.page(
        "ResNet-50 on ImageNet, as a calculation",
        "Measured: processor seconds per image and pass. Everything below the second table follows from its assumptions.",
        results,
        "## Measured",
        racing.table(("pass", "processor seconds per image", "in plain passes"), costs),
        "## Assumed",
        racing.table(("assumption", "value"), assumed),
        "## What follows",
        racing.table(("work", "plain passes per image", "hours on all GPUs"), hours),
        racing.table(("what", "figure"), rest),
    )


def main() -> None:
    """Measure, calculate and write the tables."""
    parser = racing.parser(__doc__, rounds=3)
    parser.add_argument("--images", type=int, default=4, help="in a batch")
    parser.add_argument("--side", type=int, default=SIDE, help="of an image, in pixels")
    options = parser.parse_args()
    racing.begin(options.threads)
    results = measured(options.images, options.side, options.rounds)
    racing.write(options.out, "imagenet_costs", results, page(results))


if __name__ == "__main__":
    main()
