"""Race: minimum L-inf margins, ours and torchattacks' FAB: excess over the smallest known margin, and time.

    python benchmarks/margin_excess.py [--images 256] [--rounds 3] [--threads 1]

A small CNN trained with PGD, and softmax regression, on digits that they get right. The excess is over the smallest
margin that any contestant found for the image; among them is a near-oracle, nine targets of a hundred steps each. On
softmax regression the smallest is known: the exact optimum inside [0, 1]. Before any time is measured: no contestant may
find a margin below that optimum, and the peer's points are classified again. Writes margin_excess.json and .md into
benchmarks/results/.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
import torchattacks
from torch import Tensor, nn

import racing
from racing import Goal, Results, Rows
from touchstone.margins.fab import fab
from touchstone.margins.nearest_classes import nearest_classes
from touchstone.numerics.tensors import RandomStreams, batches

BATCH = 256
ORACLE, OURS = "near-oracle: nearest_classes, 9 x 100", "touchstone nearest_classes, 3 x 40"
PEER = "torchattacks FAB, 10 steps"
Margins = Callable[[nn.Module, Tensor, Tensor, Tensor], Tensor]  # model, images, labels, ids -> (N,), +inf: not found


def ours(model: nn.Module, images: Tensor, labels: Tensor, ids: Tensor, *, classes: int = 3, steps: int = 40) -> Tensor:
    """Return the margins of our default method."""
    return nearest_classes(model, images, labels, RandomStreams(0, "attack", ids), classes=classes, steps=steps)[0]


def our_fab(model: nn.Module, images: Tensor, labels: Tensor, ids: Tensor) -> Tensor:
    """Return the margins of our FAB."""
    return fab(model, images, labels, RandomStreams(0, "attack", ids), steps=10)[0]


def their_fab(model: nn.Module, images: Tensor, labels: Tensor, ids: Tensor) -> Tensor:
    """Return the margins of torchattacks' FAB, of points that cross; its eps only drops what is farther, so it is 1."""
    attack = torchattacks.FAB(model, norm="Linf", eps=1.0, steps=10, n_restarts=1, n_classes=10, seed=0)
    points = attack(images, labels)
    with torch.no_grad():
        crossed = model(points).argmax(1) != labels
    return torch.where(crossed, (points - images).flatten(1).abs().amax(1), torch.inf)


CONTESTANTS: dict[str, Margins] = {
    OURS: ours,
    PEER: their_fab,
    "touchstone fab, 10 steps": our_fab,
    ORACLE: partial(ours, classes=9, steps=100),
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


def race(kind: str, model: nn.Module, rows: Rows, rounds: int) -> Results:
    """Return excess and times of all contestants on one network; NotEqual where a margin is too small to be true."""
    margins = {name: found_by(run, model, rows) for name, run in CONTESTANTS.items()}
    smallest = torch.stack(list(margins.values())).amin(0)
    if kind == "linear":
        optimum = exact(model, rows.images, rows.labels)
        below = float((optimum - smallest).max())
        racing.require(below <= 1e-6, f"a margin lies {below:.1e} below the exact optimum")
        smallest = optimum
    taken = racing.interleaved({n: partial(found_by, run, model, rows) for n, run in CONTESTANTS.items()}, rounds)
    lines = [{"contestant": name, **excess(results, smallest), **taken[name]} for name, results in margins.items()]
    mine = next(line for line in lines if line["contestant"] == OURS)
    goals = [
        Goal(f"{kind} network: mean excess", mine["mean_excess"], 0.001 if kind == "linear" else 0.003),
        Goal(f"{kind} network: margins not found", mine["not_found"], 0),
    ]
    if kind != "linear":  # where the margins are exact, nobody waits for them
        share = mine["seconds"] / taken[PEER]["seconds"]
        goals += [Goal(f"{kind} network: time, in units of {PEER}", share, 1)]
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


def measured(images: int, rounds: int, epochs: int = 20) -> Results:
    """Return the race on both networks."""
    races = []
    kinds: tuple[racing.Kind, ...] = ("adversarial", "linear")
    for kind in kinds:
        model, rows = racing.digits_network(kind, images, epochs)
        races.append(race(kind, model, rows.right(model), rounds))
    return {
        "command": racing.command(),
        "machine": racing.machine("torchattacks"),
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
        "seconds: median (least to greatest)",
    )
    for one in results["races"]:
        rows = [
            (line["contestant"], f"{line['median']:.5f}", f"{line['mean_excess']:.2%}", f"{line['worst_excess']:.1%}",
             line["not_found"], racing.shown(line))
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
