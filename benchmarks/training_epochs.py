"""Race: epochs of clean and of FGSM training, by our training loop and by a plain one written by hand.

    python benchmarks/training_epochs.py [--images 20000] [--epochs 3] [--rounds 5] [--threads 1]

Made-up images of 1x28x28 whose class is a bright patch, held in memory as tensors; a small CNN, Adam with a cosine
schedule, batches of 64. Both start from the same weights, see the same batches in the same order and validate after
each epoch (a ninth as many images); the whole call counts. Before any time is measured, both have the same weights after
a few batches. After more, rounding turns signs in FGSM, whose gradient differs between the two on very sure networks.
Writes training_epochs.json and .md into benchmarks/results/.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

import racing
from racing import Goal, Results
from touchstone.attacks.fgsm import fgsm
from touchstone.models.networks import checkpoints
from touchstone.models.small_cnn import small_cnn
from touchstone.numerics import tensors
from touchstone.pipeline.steps.train import train
from touchstone.records.nouns import ExampleSet
from touchstone.training.adversarial import adversarial
from touchstone.training.clean import clean

EPS, BATCH, RATE, CLASSES, SIDE = 0.1, 64, 0.001, 10, 28
Kind = Literal["clean", "FGSM"]
COMPARED = 4 * BATCH  # images, in one epoch
TOLERANCE = 1e-3  # relative, of the weights: the same sums in another order, and signs of gradients near 0
Weights = dict[str, Tensor]


def made_up(count: int, seed: int) -> ExampleSet:
    """Return noise with a patch of 7x5 pixels, brighter by .4, at one of ten places: the class."""
    generator = np.random.default_rng(seed)
    images = generator.random((count, 1, SIDE, SIDE), dtype=np.float32) * np.float32(0.6)
    labels = np.arange(count, dtype=np.int64) % CLASSES
    for label in range(CLASSES):
        row, column = 14 * (label // 5), 5 * (label % 5)
        images[labels == label, :, row : row + 7, column : column + 5] += np.float32(0.4)
    return ExampleSet(images, labels, np.arange(count, dtype=np.int64), f"made up, seed {seed}")


def ours(kind: Kind, data: ExampleSet, held_out: ExampleSet, epochs: int) -> Weights:
    """Return the weights that our loop ends in."""
    objective = clean if kind == "clean" else partial(adversarial, attack=partial(fgsm, eps=EPS))
    checkpoint = train(
        data,
        held_out,
        architecture=small_cnn,
        architecture_settings={"use": "models/small_cnn"},
        objective=objective,
        epochs=epochs,
        batch_size=BATCH,
        learning_rate=RATE,
    )
    return {name: torch.from_numpy(values) for name, values in checkpoint.weights.items()}


def by_hand(kind: Kind, data: ExampleSet, held_out: ExampleSet, epochs: int) -> Weights:
    """Return the weights that a plain PyTorch loop ends in, from our initial weights and in our order of batches."""
    images, labels = torch.from_numpy(data.images), torch.from_numpy(data.labels)
    unseen, truth = torch.from_numpy(held_out.images), torch.from_numpy(held_out.labels)
    mean, std = round(float(images.double().mean()), 6), round(float(images.double().std(correction=0)), 6)
    model = checkpoints.build(small_cnn, (1, SIDE, SIDE), CLASSES, (mean,), (std,))
    optimiser = torch.optim.Adam(model.parameters(), RATE)
    steps = epochs * math.ceil(len(images) / BATCH)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: 0.5 * (1 + math.cos(math.pi * step / steps)))
    for epoch in range(epochs):
        order = torch.Generator().manual_seed(tensors.derive(0, f"order.{epoch}"))
        model.train()
        for rows in torch.randperm(len(images), generator=order).split(BATCH):
            batch, own = images[rows], labels[rows]
            if kind == "FGSM":
                batch = one_step(model, batch, own)
            optimiser.zero_grad()
            loss = functional.cross_entropy(model(batch), own)
            loss.backward()
            optimiser.step()
            schedule.step()
            if not math.isfinite(loss.item()):
                raise FloatingPointError("diverged")
        model.eval()
        for batch, own in zip(unseen.split(BATCH), truth.split(BATCH), strict=True):
            seen = one_step(model, batch, own) if kind == "FGSM" else batch
            with torch.no_grad():
                functional.cross_entropy(model(seen), own).item()
                if kind == "FGSM":  # the accuracy is of clean images; in clean training they are the same
                    seen = batch
                (model(seen).argmax(1) == own).sum().item()
    return weights_of(model)


def one_step(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """Return the images of FGSM, written by hand."""
    points = images.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(functional.cross_entropy(model(points), labels), points)
    return (images + EPS * gradient.sign()).clamp(0, 1)


def weights_of(model: nn.Module) -> Weights:
    """Return the weights under the names of a checkpoint."""
    return {name: torch.from_numpy(values) for name, values in checkpoints.weights_of(model).items()}


def difference(first: Weights, second: Weights) -> float:
    """Return the greatest difference of two networks' weights, in units of the largest weight of the tensor."""
    racing.require(first.keys() == second.keys(), "the loops end in different networks")
    return max(float((first[name] - second[name]).abs().max() / first[name].abs().max()) for name in first)


def measured(images: int, epochs: int, rounds: int) -> Results:
    """Return the times of both loops; NotEqual where they do not have the same weights after a few batches."""
    data, held_out = made_up(images, seed=1), made_up(max(CLASSES, images // 9), seed=2)
    few = made_up(COMPARED, seed=1)
    lines, goals = [], []
    kinds: tuple[Kind, ...] = ("clean", "FGSM")
    for kind in kinds:
        contestants = {
            name: partial(loop, kind, data, held_out, epochs)
            for name, loop in (("touchstone", ours), ("by hand", by_hand))
        }
        different = difference(ours(kind, few, held_out, 1), by_hand(kind, few, held_out, 1))
        racing.require(different <= TOLERANCE, f"{kind}: weights differ by {different:.1e}")
        taken = racing.interleaved(contestants, rounds)
        lines.append({"training": kind, "difference": different, **taken})
        ratio = taken["touchstone"]["seconds"] / taken["by hand"]["seconds"]
        goals.append(Goal(f"{kind} training: time, in units of the loop by hand", ratio, 1.05).as_json())
    return {
        "command": racing.command(),
        "machine": racing.machine(),
        "images": images,
        "epochs": epochs,
        "lines": lines,
        "goals": goals,
    }


def page(results: Results) -> str:
    """Return the race as Markdown."""
    rows = [
        (line["training"], racing.shown(line["touchstone"]), racing.shown(line["by hand"]), f"{line['difference']:.0e}")
        for line in results["lines"]
    ]
    what = (
        f"Seconds for {results['epochs']} epochs of {results['images']} images of 1x28x28, small CNN, batches of {BATCH},"
        " validation and start-up included: median (least to greatest). The difference is the greatest of the"
        f" weights after {COMPARED // BATCH} batches."
    )
    columns = ("training", "touchstone", "by hand", "difference")
    return racing.page("Training: our loop and a plain one", what, results, racing.table(columns, rows))


def main() -> None:
    """Run the race and write its tables."""
    parser = racing.parser(__doc__, rounds=5)
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--epochs", type=int, default=3)
    options = parser.parse_args()
    racing.begin(options.threads)
    results = measured(options.images, options.epochs, options.rounds)
    racing.write(options.out, "training_epochs", results, page(results))


if __name__ == "__main__":
    main()
