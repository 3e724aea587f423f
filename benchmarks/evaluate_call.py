"""Time: one call of `evaluate`, as in a notebook, beside the authors' AutoAttack and beside the bare passes of the call.

    python benchmarks/evaluate_call.py [--images 200] [--rounds 3] [--threads 2]

Two small CNNs of width 4 are trained on digits of 3x32x32, one without an attack and one with PGD of eps 8/255. Both are
attacked at eps 8/255 and .1, on the digits that each gets right. AutoAttack is `pyautoattack` in its standard version; it
runs once. The bare passes are as many as those of `evaluate`, in batches of all images, without any attack: no attack with
these passes can be faster. `evaluate` may leave .2 points more than AutoAttack, or two images.
Writes evaluate_call.json and .md into benchmarks/results/.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor, nn

import attack_strength
import gpu_subjects
import racing
from gpu_subjects import Subject, rows_of
from racing import Goal, Results, Rows
from touchstone.api.robust_accuracy import evaluate
from touchstone.attacks.adversary.effort import Effort, counted
from touchstone.models.small_cnn import small_cnn
from touchstone.numerics.tensors import frozen

SECONDS = 8.0  # for 200 images
WIDTH = 4
TRAINING_EPS = 8 / 255
EPS = (TRAINING_EPS, 0.1)
OURS, THEIRS, PASSES = "evaluate", attack_strength.THEIRS, "bare passes"
EPOCHS, TRAINING_IMAGES = 10, 250


def networks() -> Iterator[tuple[str, Subject]]:
    """Yield a tiny network trained without an attack, and one trained with PGD, with the same digits."""
    tiny = partial(small_cnn, width=WIDTH, hidden=8 * WIDTH)
    one = gpu_subjects.subject("tiny CNN", tiny, (3, 32), TRAINING_IMAGES, "cpu")
    for name, attacked in (("clean", False), ("PGD", True)):
        checkpoint = gpu_subjects.our_training(one, attacked, "cpu", epochs=EPOCHS, eps=TRAINING_EPS)
        yield name, one._replace(checkpoint=checkpoint)


def bare(model: nn.Module, images: Tensor, effort: Effort) -> None:
    """Pass images through a network as often as an attack did, with and without a gradient."""
    rounds = [round(count / len(images)) for count in (effort.gradient, effort.forward - effort.gradient)]
    with frozen(model):
        for _ in range(rounds[0]):
            points = images.clone().requires_grad_()
            torch.autograd.grad(model(points).sum(), points)
        with torch.no_grad():
            for _ in range(rounds[1]):
                model(images)


def measured(images: int, rounds: int) -> Results:
    """Return times and accuracies per network and eps; NotEqual where `evaluate` leaves more than AutoAttack."""
    lines, goals = [], []
    for training, one in networks():
        model = one.model("cpu")
        digits = rows_of(one.test, "cpu").right(model)
        rows = digits.take(torch.arange(images) % len(digits.ids))
        for eps in EPS:
            line = raced(model, rows, eps, rounds)
            lines.append({"training": training, "eps": eps, **line})
            name = f"{training}, eps {eps:.3g}: seconds of {images} images"
            goals.append(Goal(name, line["taken"][OURS]["seconds"], SECONDS * images / 200).as_json())
            print(f"{name}: {racing.shown(line['taken'][OURS])}", file=sys.stderr, flush=True)
    machine = racing.machine("pyautoattack")
    return {"command": racing.command(), "machine": machine, "images": images, "lines": lines, "goals": goals}


def raced(model: nn.Module, rows: Rows, eps: float, rounds: int) -> Results:
    """Return the times of all three, the share that each attack leaves, and the passes of `evaluate` per image."""
    with counted(model) as effort:
        result = evaluate(model, rows.images, rows.labels, eps=eps, progress=False)
    start = time.perf_counter()
    attacked = {OURS: result.attacked, THEIRS: attack_strength.theirs(model, rows, eps, "linf")}
    once = racing.times([time.perf_counter() - start])
    left = {name: float(rows.withstood(model, each, eps).float().mean()) for name, each in attacked.items()}
    allowed = max(attack_strength.WORSE, 2 / len(rows.ids))
    racing.require(left[OURS] <= left[THEIRS] + allowed, f"evaluate leaves {left[OURS]}, AutoAttack {left[THEIRS]}")
    runners: dict[str, Callable[[], object]] = {
        OURS: partial(evaluate, model, rows.images, rows.labels, eps=eps, progress=False),
        PASSES: partial(bare, model, rows.images, effort),
    }
    taken = {THEIRS: once, **racing.interleaved(runners, rounds, warm_up=False)}
    return {"left": left, "passes": effort.per_image(len(rows.ids)), "taken": taken}


def page(results: Results) -> str:
    """Return the race as Markdown."""
    rows = [
        (f"{line['training']}, eps {line['eps']:.3g}", f"{line['left'][OURS]:.1%}", f"{line['left'][THEIRS]:.1%}",
         *(f"{line['passes'][name]:.4g}" for name in ("forward_passes", "gradient_passes")),
         *(racing.shown(line["taken"][name]) for name in (OURS, THEIRS, PASSES)))
        for line in results["lines"]
    ]  # fmt: skip
    columns = ("network", "evaluate leaves", "AutoAttack leaves", "passes per image", "of them with a gradient")
    return racing.page(
        "One call of evaluate",
        f"Seconds for {results['images']} images of 3x32x32 that the network gets right: median (least to greatest).",
        results,
        racing.table((*columns, *(f"seconds: {name}" for name in (OURS, THEIRS, PASSES))), rows),
    )


def main() -> None:
    """Run the race and write its tables."""
    parser = racing.parser(__doc__, rounds=3)
    parser.add_argument("--images", type=int, default=200)
    parser.set_defaults(threads=2)  # what a notebook gets on two cores
    options = parser.parse_args()
    racing.begin(options.threads)
    results = measured(options.images, options.rounds)
    racing.write(options.out, "evaluate_call", results, page(results))


if __name__ == "__main__":
    main()
