"""Race: minimum L-inf margins, ours in two grades and those of adv-lib and torchattacks: excess, optimality, passes, time.

    python benchmarks/margin_excess.py [--images 256] [--rounds 3] [--threads 1]

A small CNN trained with PGD, and softmax regression, on digits that they get right. The excess is over the smallest margin
that any contestant found for the image. On softmax regression the smallest is known: the exact optimum inside [0, 1].
Optimality is AttackBench's (Cina et al. 2025): 1 for the smallest margins of all images, 0 for an attack that finds none.
Our quick grade may take as long as torchattacks' FAB with 10 steps. Our thorough grade, which adds `minimal_pgd`, may take
2,000 propagations, forward and backward, as adv-lib's attacks may. Passes count all ways back through one forward pass as
one; propagations count each. Contestants are all of adv-lib's attacks that minimise an L-inf margin, with settings of about
2,000 passes, or fewer where more do not help. No contestant may find a margin below the exact optimum, and the peers'
points are classified again. Writes margin_excess.json and .md into benchmarks/results/.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import numpy as np
import torch
import torchattacks
from torch import Tensor, nn

import digits_networks
import racing
from adv_lib_attacks import carlini_wagner, df, fab, fmn, minimal_apgd, pdpgd, trust_region
from racing import Goal, Results, Rows
from touchstone.attacks.adversary.effort import counted
from touchstone.attacks.margins.minimal_pgd import minimal_pgd
from touchstone.attacks.margins.nearest_classes import nearest_classes
from touchstone.numerics.tensors import RandomStreams, batches

BATCH, PROPAGATIONS, OPTIMALITY = 256, 2000, 0.99
OURS, THOROUGH = "touchstone nearest_classes, 3 x 30 and 3 x 10", "touchstone nearest_classes and minimal_pgd"
PEER = "torchattacks FAB, 10 steps"
Margins = Callable[[nn.Module, Tensor, Tensor, Tensor], Tensor]  # model, images, labels, ids -> (N,), +inf: not found
LINF = float("inf")


def ours(model: nn.Module, images: Tensor, labels: Tensor, ids: Tensor) -> Tensor:
    """Return the margins of our default method."""
    return nearest_classes(model, images, labels, RandomStreams(0, "attack", ids))[0]


def thorough(model: nn.Module, images: Tensor, labels: Tensor, ids: Tensor) -> Tensor:
    """Return the smaller margins of our two methods."""
    second = minimal_pgd(model, images, labels, RandomStreams(0, "attack", ids))[0]
    return torch.minimum(ours(model, images, labels, ids), second)


def their_fab(model: nn.Module, images: Tensor, labels: Tensor, ids: Tensor) -> Tensor:
    """Return the margins of torchattacks' FAB, of points that cross; its eps only drops what is farther, so it is 1."""
    attack = torchattacks.FAB(model, norm="Linf", eps=1.0, steps=10, n_restarts=1, n_classes=10, seed=0)
    return distances(model, images, labels, attack(images, labels))


def distances(model: nn.Module, images: Tensor, labels: Tensor, points: Tensor) -> Tensor:
    """Return the distance of the points that cross, (N,)."""
    with torch.no_grad():
        crossed = model(points).argmax(1) != labels
    return torch.where(crossed, (points - images).flatten(1).abs().amax(1), torch.inf)


def adv_lib(attack: Callable[..., Tensor]) -> Margins:
    """Return the margins of one of adv-lib's attacks."""

    def margins(model: nn.Module, images: Tensor, labels: Tensor, ids: Tensor) -> Tensor:
        torch.manual_seed(0)  # they draw from the global generator
        return distances(model, images, labels, attack(model, images, labels, norm=LINF).detach())

    return margins


apgd_in_ten_bisections = partial(minimal_apgd, max_eps=0.5, binary_search_steps=10)
CONTESTANTS: dict[str, Margins] = {
    OURS: ours,
    THOROUGH: thorough,
    PEER: their_fab,
    "adv-lib FMN, 1,000 steps": adv_lib(partial(fmn, steps=1000)),
    "adv-lib FAB, 100 steps": adv_lib(partial(fab, n_iter=100)),
    "adv-lib PDPGD, 1,000 steps": adv_lib(partial(pdpgd, num_steps=1000)),
    "adv-lib minimal APGD, 10 x 100": adv_lib(partial(apgd_in_ten_bisections, n_iter=98)),
    "adv-lib minimal APGD-T, 10 x 9 x 20": adv_lib(partial(apgd_in_ten_bisections, n_iter=20, targeted_version=True)),
    "adv-lib DeepFool, no overshoot": adv_lib(partial(df, steps=100, overshoot=0.0)),
    "adv-lib Carlini & Wagner, 100 steps a round": adv_lib(
        partial(carlini_wagner, max_iterations=100, initial_const=0.1, const_factor=10)
    ),
    "adv-lib trust region, steps of .00025": adv_lib(partial(trust_region, iter=1200, eps=0.00025)),
}


def exact(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """Return the exact L-inf margins (N,), float64, of softmax regression inside [0, 1].

    Towards one class a pixel moves by the radius, or to the wall of the box if that is nearer: the lead falls piecewise
    linearly with the radius, so bisection finds where it is gone. The nearest class counts.
    """
    layer = next(module for module in model.modules() if isinstance(module, nn.Linear))
    normalise = next(iter(model.children()))
    pixels = images.flatten(1).double()
    with torch.no_grad():
        logits = model(images).double()
        weight = layer.weight.double() / normalise.std.double().view(-1)  # type: ignore[operator]
    best = torch.full((len(images),), torch.inf, dtype=torch.float64)
    for other in range(logits.shape[1]):
        slope = weight[other] - weight[labels]
        lead = logits.gather(1, labels[:, None])[:, 0] - logits[:, other]
        room = torch.where(slope > 0, 1 - pixels, pixels)
        low, high = torch.zeros_like(lead), torch.ones_like(lead)
        for _ in range(50):
            middle = (low + high) / 2
            gone = (slope.abs() * torch.minimum(room, middle[:, None])).sum(1) >= lead
            low, high = torch.where(gone, low, middle), torch.where(gone, middle, high)
        reached = ((slope.abs() * room).sum(1) >= lead) & (labels != other)
        best = torch.where(reached, torch.minimum(best, high), best)
    return best


def found_by(margins: Margins, model: nn.Module, rows: Rows) -> Tensor:
    """Return the margins of all rows, batch by batch."""
    return torch.cat([margins(model, *part) for part in batches(BATCH, *rows)]).double()


@contextmanager
def ways_back(model: nn.Module) -> Iterator[list[int]]:
    """Collect the number of images of each backward pass in the block; several may go through one forward pass."""
    taken: list[int] = []

    def watch(_: nn.Module, __: tuple[Tensor, ...], logits: Tensor) -> None:
        if logits.requires_grad:
            logits.register_hook(lambda gradient: taken.append(len(gradient)))

    handle = model.register_forward_hook(watch)
    try:
        yield taken
    finally:
        handle.remove()


def race(kind: str, model: nn.Module, rows: Rows, rounds: int) -> Results:
    """Return excess, optimality and passes of all contestants; NotEqual if a margin is too small to be true."""
    margins, passes = {}, {}
    for name, run in CONTESTANTS.items():
        with counted(model) as effort, ways_back(model) as back:
            margins[name] = found_by(run, model, rows)
        each = effort.forward + effort.gradient, effort.forward + sum(back)
        passes[name] = dict(zip(("passes", "propagations"), (count / len(rows.ids) for count in each), strict=True))
    smallest = torch.stack(list(margins.values())).amin(0)
    if kind == "linear":
        optimum = exact(model, rows.images, rows.labels)
        below = float((optimum - smallest).max())
        racing.require(below <= 1e-6, f"a margin lies {below:.1e} below the exact optimum")
        smallest = optimum
    timed = {name: partial(found_by, CONTESTANTS[name], model, rows) for name in (OURS, THOROUGH, PEER)}
    taken = racing.interleaved(timed, rounds)
    lines = [
        {
            "contestant": name,
            **excess(results, smallest),
            "optimality": optimality(results, smallest),
            **passes[name],
            **taken.get(name, {}),
        }
        for name, results in margins.items()
    ]
    quick, careful = (next(line for line in lines if line["contestant"] == name) for name in (OURS, THOROUGH))
    goals = [
        Goal(f"{kind} network, quick: mean excess", quick["mean_excess"], 0.001 if kind == "linear" else 0.003),
        Goal(f"{kind} network, quick: margins not found", quick["not_found"], 0),
        Goal(f"{kind} network, thorough: optimality", careful["optimality"], OPTIMALITY, "at least"),
        Goal(f"{kind} network, thorough: propagations", careful["propagations"], PROPAGATIONS),
    ]
    if kind != "linear":  # if the margins are exact, nobody waits for them
        share = quick["seconds"] / taken[PEER]["seconds"]
        goals += [Goal(f"{kind} network, quick: time, in units of {PEER}", share, 1)]
    return {
        "network": kind,
        "images": len(rows.images),
        "base": "the exact optimum" if kind == "linear" else "the smallest found by anyone",
        "lines": lines,
        "goals": [goal.as_json() for goal in goals],
    }


def excess(margins: Tensor, smallest: Tensor) -> Results:
    """Return by how much margins exceed the smallest known, of those that were found."""
    results = margins.isfinite()
    over = margins[results] / smallest[results] - 1
    return {
        "median": float(margins.median()),
        "mean_excess": float(over.mean()),
        "worst_excess": float(over.max()),
        "not_found": int((~results).sum()),
    }


def optimality(margins: Tensor, smallest: Tensor) -> float:
    """Return AttackBench's local optimality of margins, from 0 to 1 (Cina et al. 2025, eq. 5).

    It compares the areas above the curves of robust accuracy, up to the eps at which the smallest margins leave none.
    """
    end = float(smallest.max())

    def area_above(values: Tensor) -> float:
        return float(np.mean((end - values.clamp(max=end)).numpy()))

    return area_above(margins) / area_above(smallest)


def measured(images: int, rounds: int, epochs: int = 20) -> Results:
    """Return the race on both networks, with the times of an earlier one if there is one."""
    races = []
    kinds: tuple[digits_networks.Kind, ...] = ("adversarial", "linear")
    for kind in kinds:
        model, rows = digits_networks.digits_network(kind, images, epochs)
        races.append(race(kind, model, rows.right(model), rounds))
    return {
        "command": racing.command(),
        "machine": racing.machine("torchattacks", "adv-lib"),
        "races": races,
        "goals": [goal for results in races for goal in results["goals"]],
    }


def page(results: Results) -> str:
    """Return the race as Markdown."""
    parts = []
    columns = (
        "contestant",
        "median margin",
        "mean excess",
        "worst",
        "not found",
        "optimality",
        "passes",
        "propagations",
        "seconds: median (least to greatest)",
    )
    for one in results["races"]:
        rows = [
            (line["contestant"], f"{line['median']:.5f}", f"{line['mean_excess']:.2%}", f"{line['worst_excess']:.1%}",
             line["not_found"], f"{line['optimality']:.4f}", f"{line['passes']:,.0f}",
             f"{line['propagations']:,.0f}",
             racing.shown(line) if "seconds" in line else "–")
            for line in one["lines"]
        ]  # fmt: skip
        parts += [f"## {one['network']} network, {one['images']} digits, excess over {one['base']}"]
        parts += [racing.table(columns, rows)]
    what = "Minimum L-inf margins of digits that the network gets right, inside [0, 1]; excess is relative."
    return racing.page("Margins: how small, how fast", what, results, *parts)


def main() -> None:
    """Run the race and write its tables."""
    parser = racing.parser(__doc__, rounds=3)
    parser.add_argument("--images", type=int, default=256)
    options = parser.parse_args()
    racing.begin(options.threads)
    results = measured(options.images, options.rounds)
    racing.write(options.out, "margin_excess", results, page(results))


if __name__ == "__main__":
    main()
