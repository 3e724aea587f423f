"""Growth: time and memory of the steps attack, infer, score and measure with the number of images, and fitted exponents.

    python benchmarks/growth.py [--images 256] [--times 1 4 16] [--rounds 3] [--threads 1]

A small CNN trained on digits, which repeat under new ids: twice the images are twice the work, so an exponent of 1 is
linear. Sizes take turns. Memory is the rise of the resident set, at its highest, above inputs and network, in a process
of its own; what a batch of 256 needs is a constant part of it, so bytes per further image are given too.
Before any time is measured, the first images of the largest run must equal those of the smallest: batches change
nothing. Writes growth.json and .md into benchmarks/results/.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

import digits_networks
import racing
from racing import Goal, Results, Rows
from touchstone.attacks.margins.nearest_classes import nearest_classes
from touchstone.attacks.pgd import pgd
from touchstone.detectors import mahalanobis
from touchstone.models.networks import checkpoints
from touchstone.models.small_cnn import small_cnn
from touchstone.pipeline.steps.attack import attack
from touchstone.pipeline.steps.infer import infer
from touchstone.pipeline.steps.measure import measure
from touchstone.pipeline.steps.score import score
from touchstone.records.nouns import Detector, ExampleSet, Outputs

BATCH = 256
ON = {"batch_size": BATCH, "device": "cpu"}
CONFOUNDING = {"softmax_all": {"variant": "softmax", "ones": None, "draws": None}}
WIDTH = 128  # features of a detector
BOUND = 1.05
Work = Callable[[], NDArray[Any]]  # does a step's work, and returns one value or row per image


def example_set(rows: Rows) -> ExampleSet:
    """Return rows as the noun that steps take."""
    return ExampleSet(rows.images.numpy(), rows.labels.numpy(), rows.ids.numpy(), "digits")


def attacking(model: nn.Module, examples: ExampleSet) -> Work:
    """Return the step attack, PGD of ten steps."""
    perturb = partial(pgd, eps=0.1, steps=10)
    return lambda: attack(examples, model, defence=model, perturb=perturb, seed=0, **ON).images  # type: ignore[arg-type]


def inferring(model: nn.Module, examples: ExampleSet) -> Work:
    """Return the step infer, gradient norms of one confounding label included."""
    return lambda: infer(examples, model, confounding=CONFOUNDING, **ON).gradient_norms["softmax_all"]  # type: ignore[arg-type]


def scoring(model: nn.Module, examples: ExampleSet) -> Work:
    """Return the step score, Mahalanobis distances of made-up features: their values cost nothing to make."""
    generator = torch.Generator().manual_seed(0)
    fitted = torch.randn(2 * WIDTH, WIDTH, generator=generator)
    state = {name: values.numpy() for name, values in mahalanobis.fit(fitted, torch.arange(2 * WIDTH) % 10).items()}
    features = torch.randn(len(examples), WIDTH, generator=generator).numpy()
    outputs = Outputs(features[:, :10], examples.labels, examples.example_ids, {"penultimate": features})
    detector = Detector(state, {"use": "mahalanobis"}, {}, 1.0, supervised=False)
    reads = {"scorer": mahalanobis.mahalanobis, "data": ("features", "state"), "label": None, "model": None}
    return lambda: score(outputs, None, detector, **reads, **ON).scores  # type: ignore[arg-type]


def measuring(model: nn.Module, examples: ExampleSet) -> Work:
    """Return the step measure, margins by nearest_classes."""
    how = {"method": nearest_classes, "name": "nearest_classes", "norm": "linf", "seed": 0}
    return lambda: measure(examples, model, **how, **ON).margins  # type: ignore[arg-type]


STEPS: dict[str, Callable[[nn.Module, ExampleSet], Work]] = {
    "attack": attacking,
    "infer": inferring,
    "score": scoring,
    "measure": measuring,
}


def peak(step: str, images: int) -> int:
    """Return the bytes that one step needs for so many images; in this process, so it should be a new one."""
    model = checkpoints.build(
        small_cnn, (1, 28, 28), 10, (0.5,), (0.3,)
    ).eval()  # training would leave freed memory behind

    return racing.peak(STEPS[step](model, example_set(noise(images))))


def noise(images: int) -> Rows:
    """Return noise images, whose values cost what those of digits cost."""
    pixels = torch.rand(images, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    return Rows(pixels, torch.arange(images) % 10, torch.arange(images))


def race(step: str, model: nn.Module, sets: dict[int, ExampleSet], rounds: int) -> Results:
    """Return times, memory and exponents of one step; NotEqual where an image's result depends on the others."""
    works = {size: STEPS[step](model, examples) for size, examples in sets.items()}
    least, most = min(sets), max(sets)
    alone, among = works[least](), works[most]()[:least]
    same = float(np.isclose(alone, among, rtol=1e-4, atol=1e-6).mean())
    racing.require(
        same >= 0.999, f"{step}: more images change {1 - same:.2%} of the first ones"
    )  # a sign of almost 0 may
    taken = racing.interleaved({str(size): work for size, work in works.items()}, rounds)
    return {
        "step": step,
        "lines": [
            {"images": size, "peak_bytes": racing.elsewhere(peak, step=step, images=size), **taken[str(size)]}
            for size in sets
        ],
    }


def exponents(results: Results) -> Results:
    """Return a step's exponents of time and of memory, and the bytes that one more image takes."""
    sizes = [line["images"] for line in results["lines"]]
    times, peaks = ([line[name] for line in results["lines"]] for name in ("seconds", "peak_bytes"))
    return {
        "time_exponent": racing.exponent(sizes, times),
        "memory_exponent": racing.exponent(sizes, peaks),
        "bytes_per_image": (peaks[-1] - peaks[-2]) / (sizes[-1] - sizes[-2]),
    }


def measured(images: int, factors: Sequence[int], rounds: int, epochs: int = 20) -> Results:
    """Return the growth of every step."""
    sizes = [images * factor for factor in sorted(factors)]
    model, rows = digits_networks.digits_network("clean", sizes[-1], epochs)
    sets = {size: example_set(Rows(*(column[:size] for column in rows))) for size in sizes}
    races = [race(step, model, sets, rounds) for step in STEPS]
    races = [results | exponents(results) for results in races]
    goals = [
        Goal(f"{results['step']}: exponent of {what}", results[f"{what}_exponent"], BOUND)
        for results in races
        for what in ("time", "memory")
    ]
    return {
        "command": racing.command(),
        "machine": racing.machine(),
        "races": races,
        "goals": [goal.as_json() for goal in goals],
    }


def page(results: Results) -> str:
    """Return the growth as Markdown."""
    rows = [
        (one["step"], line["images"], racing.shown(line), f"{line['peak_bytes'] / 1e6:.1f}")
        for one in results["races"]
        for line in one["lines"]
    ]
    fitted = [
        (
            one["step"],
            f"{one['time_exponent']:.2f}",
            f"{one['memory_exponent']:.2f}",
            f"{one['bytes_per_image'] / 1e3:.1f}",
        )
        for one in results["races"]
    ]
    what = "Steps of the pipeline on a small CNN and digits of 1x28x28 (3.1 kB each), from and to nouns in memory."
    return racing.page(
        "Growth with the number of images",
        what,
        results,
        racing.table(("step", "images", "seconds: median (least to greatest)", "peak MB"), rows),
        racing.table(("step", "exponent of time", "exponent of memory", "kB per further image"), fitted),
    )


def main() -> None:
    """Measure and write the tables."""
    parser = racing.parser(__doc__, rounds=3)
    parser.add_argument("--images", type=int, default=BATCH, help="of the smallest size: a batch or more")
    parser.add_argument("--times", type=int, nargs="+", default=[1, 4, 16], help="two factors or more")
    options = parser.parse_args()
    racing.begin(options.threads)
    results = measured(options.images, options.times, options.rounds)
    racing.write(options.out, "growth", results, page(results))


if __name__ == "__main__":
    main()
