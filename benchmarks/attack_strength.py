"""Race: reliable robust accuracy, by our worst_of and by torchattacks' AutoAttack, on one network and the digits.

    python benchmarks/attack_strength.py [--images 500] [--rounds 3] [--threads 1]

A small CNN trained with PGD (7 steps of eps .1). worst_of has the members that a robust accuracy needs: APGD-CE, APGD-DLR
towards each class, and Square, which needs no gradients. Each takes few steps, because the next one attacks the survivors.
Before any time is measured, the attacked images are clipped to the budget and classified again. The first goal is that ours
leave no more images right than theirs. Writes attack_strength.json and .md into benchmarks/results/.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
import torchattacks
from torch import Tensor, nn

import racing
from racing import Goal, Results, Rows
from touchstone.attacks.apgd import apgd
from touchstone.attacks.square import square
from touchstone.attacks.worst_of import worst_of
from touchstone.numerics.tensors import RandomStreams, batches

EPS = (0.05, 0.1, 0.15)
BATCH = 256
OURS, THEIRS = "touchstone worst_of", "torchattacks AutoAttack"


def members(eps: float) -> list[Callable[..., Tensor]]:
    """Return the attacks that a robust accuracy needs."""
    return [
        partial(apgd, eps=eps, steps=50, stop_on_success=True),
        partial(apgd, eps=eps, steps=15, loss="dlr", target="each", stop_on_success=True),
        partial(square, eps=eps, queries=300, stop_on_success=True),
    ]


def ours(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    ids: Tensor,
    eps: float,
    attacks: list[Callable[..., Tensor]] | None = None,
) -> Tensor:
    """Return the images of worst_of with those members, or with some of them."""
    return worst_of(model, images, labels, RandomStreams(0, "attack", ids), attacks=attacks or members(eps))


def theirs(model: nn.Module, images: Tensor, labels: Tensor, ids: Tensor, eps: float) -> Tensor:
    """Return the images of torchattacks' standard AutoAttack."""
    attack = torchattacks.AutoAttack(model, norm="Linf", eps=eps, version="standard", n_classes=10, seed=0)
    results: Tensor = attack(images, labels)
    return results


SUITES: dict[str, Callable[..., Tensor]] = {OURS: ours, THEIRS: theirs}


def attacked(suite: Callable[..., Tensor], model: nn.Module, rows: Rows) -> Tensor:
    """Return what a suite makes of all rows, batch by batch."""
    return torch.cat([suite(model, *part) for part in batches(BATCH, *rows)])


def robust(model: nn.Module, rows: Rows, images: Tensor, eps: float) -> float:
    """Return the accuracy on attacked images, pulled back into the budget that both claim to keep."""
    return float(rows.withstood(model, images, eps).float().mean())


def race(model: nn.Module, rows: Rows, eps: float, rounds: int) -> Results:
    """Return robust accuracy and times of both suites at one eps."""
    runners = {name: partial(attacked, partial(suite, eps=eps), model, rows) for name, suite in SUITES.items()}
    left = {name: robust(model, rows, run(), eps) for name, run in runners.items()}
    taken = racing.interleaved(runners, rounds, warm_up=False)  # both have just been run
    lines = [{"suite": name, "robust_accuracy": left[name], **taken[name]} for name in runners]
    goals = [
        Goal(f"eps {eps:g}: robust accuracy", left[OURS], left[THEIRS]),
        Goal(
            f"eps {eps:g}: time of {THEIRS}, in units of ours",
            taken[THEIRS]["seconds"] / taken[OURS]["seconds"],
            3,
            "at least",
        ),
    ]
    return {"eps": eps, "lines": lines, "goals": [goal.as_json() for goal in goals]}


def measured(count: int, rounds: int, epochs: int = 20, every_eps: tuple[float, ...] = EPS) -> Results:
    """Return the races at every eps."""
    model, rows = racing.digits_network("adversarial", count, epochs)
    races = [race(model, rows, eps, rounds) for eps in every_eps]
    return {
        "command": racing.command(),
        "machine": racing.machine("torchattacks"),
        "images": count,
        "clean_accuracy": len(rows.right(model).ids) / count,
        "races": races,
        "goals": [goal for results in races for goal in results["goals"]],
    }


def page(results: Results) -> str:
    """Return the race as Markdown."""
    rows = [
        (line["suite"], f"{one['eps']:g}", f"{line['robust_accuracy']:.1%}", racing.shown(line))
        for one in results["races"]
        for line in one["lines"]
    ]
    what = (
        f"Small CNN trained with PGD (eps .1, 7 steps), {results['images']} digits that it never saw, clean accuracy"
        f" {results['clean_accuracy']:.1%}. A lower robust accuracy is a stronger attack."
    )
    columns = ("suite", "eps", "robust accuracy", "seconds: median (least to greatest)")
    return racing.page("Reliable robust accuracy: ours and torchattacks'", what, results, racing.table(columns, rows))


def main() -> None:
    """Run the race and write its tables."""
    parser = racing.parser(__doc__, rounds=3)
    parser.add_argument("--images", type=int, default=500)
    options = parser.parse_args()
    racing.begin(options.threads)
    results = measured(options.images, options.rounds)
    racing.write(options.out, "attack_strength", results, page(results))


if __name__ == "__main__":
    main()
