"""Race: what newer attacks leave, and with how many passes, beside our attack_suite: MALT, PMA and A3.

    python benchmarks/newer_attacks.py [--images 1000] [--networks trades pgd] [--eps 0.1 0.15] [--threads 1]
                                       [--keep build/attack_strength]

Networks, digits and passes are those of attack_strength.py; attacks are L-inf. None of the three is a package, so each is
written here after its paper and, of PMA and A3, after the authors' code:

- MALT (Melamed & Yehudai 2024) aims Auto-PGD, 100 steps of the targeted DLR loss, at nine classes. The first are those whose
  boundary would be nearest if the logits were linear around the image.
- PMA (Xie et al. 2024) takes 100 steps on probabilities: first it lowers that of the true class, or raises the largest other
  one, and then raises their difference. The step size falls from 2 eps by a cosine, once in each half.
- A3 (Liu et al. 2022) starts with 7 steps of size eps along a direction of the logits, and then takes 25 on the margin,
  whose size falls by a cosine. From the third round on, each aims for another class, and moves the true
  class the way that worked in the second. Our suite has its rule of which images to give up, which is left out here.

PMA has five starts for each of its two paths and A3 28 rounds: 1,300 passes or so, which our suite took at first. An
attack stops at an image once it is misclassified. The last column is the share of images that neither our suite nor the
attack fools. An attack that leaves fewer images than our suite has something that the suite should take.
Writes newer_attacks.json and .md into benchmarks/results/.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

import attack_strength
import racing
from racing import Goal, Results, Rows
from touchstone.attacks.adversary.apgd_step_halving import ascend_with_step_halving
from touchstone.attacks.adversary.effort import counted
from touchstone.attacks.adversary.goals import Goal as Aim
from touchstone.attacks.adversary.losses import dlr_loss, loss_and_input_gradient, margin_loss
from touchstone.attacks.adversary.perturbations import Ball
from touchstone.attacks.adversary.success import misclassified
from touchstone.numerics.tensors import RandomStreams, batches, frozen

OURS = attack_strength.OURS
MORE = 0.002  # that ours may leave more than any of them
TARGETS, MALT_STEPS, PMA_STEPS, PMA_STARTS = 9, 100, 100, 5
A3_ROUNDS, A3_START_STEPS, A3_STEPS = 28, 7, 25


class Search:
    """The images of one batch, and which of them are still right."""

    def __init__(self, model: nn.Module, images: Tensor, labels: Tensor, ids: Tensor, eps: float) -> None:
        self.model, self.labels, self.ball = model, labels, Ball(images, eps)
        self.streams = RandomStreams(0, "attack", ids)
        self.best, self.open = images.clone(), torch.arange(len(images))
        self.close(images)

    def starts(self) -> Tensor:
        """Return a uniform point of each open row's ball."""
        return self.ball.random(self.streams)[self.open]

    def step(self, points: Tensor, value: Callable[[Tensor], Tensor], size: float) -> tuple[Tensor, Tensor]:
        """Close the rows that are misclassified, and climb a value of the logits from the others.

        Returns:
            The next points of the rows that stay open, and which those were, (n,) bool.
        """
        seen: list[Tensor] = []

        def observed(moved: Tensor) -> Tensor:
            seen.append(self.model(moved))
            return value(seen[0])

        _, gradient = loss_and_input_gradient(observed, points)
        ahead = self.ball.take(self.open).step(points, gradient, size)
        right = self.close(points, seen[0].detach())
        return ahead[right], right

    def close(self, points: Tensor, logits: Tensor | None = None) -> Tensor:
        """Keep points of the open rows, close those that are misclassified; return which stay open, (n,) bool."""
        with torch.no_grad():
            right = (self.model(points) if logits is None else logits).argmax(1) == self.labels[self.open]
        self.best[self.open], self.open = points, self.open[right]
        return right


def linear_order(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """Return the classes of each image, the label last, by their L-inf distance if the logits were linear, (N, K)."""
    points = images.detach().requires_grad_()
    with torch.enable_grad():
        logits = model(points)
        leads = logits.gather(1, labels[:, None]) - logits
        distances = []
        for lead in leads.unbind(1):
            (gradient,) = torch.autograd.grad(lead.sum(), points, retain_graph=True)
            distances.append(lead.detach() / gradient.flatten(1).abs().sum(1).clamp_min(1e-12))
    return torch.stack(distances, 1).scatter(1, labels[:, None], torch.inf).argsort(1)


def malt(search: Search) -> None:
    """Attack the open images by MALT."""
    order = linear_order(search.model, search.ball.images, search.labels)
    for rank in range(min(TARGETS, order.shape[1] - 1)):
        rows = search.open
        if len(rows) == 0:
            return
        aim = Aim(search.labels[rows], dlr_loss, order[rows, rank])
        points, _ = ascend_with_step_halving(
            search.model, aim, search.ball.take(rows), search.starts(), steps=MALT_STEPS, success=misclassified
        )
        search.close(points)


def pma(search: Search) -> None:
    """Attack the open images by PMA, along both of its paths from each start."""
    half = PMA_STEPS // 2
    for path in [False, True] * PMA_STARTS:
        points = search.starts()
        for step in range(PMA_STEPS):
            since = step - 1 - (half if step > half else 0)
            size = search.ball.eps * (1 + math.cos(since / half * math.pi))
            points, _ = search.step(points, _probability_value(search, step, path), size)
            if len(points) == 0:
                return
        search.close(points)


def _probability_value(search: Search, step: int, raise_other: bool) -> Callable[[Tensor], Tensor]:
    labels = search.labels[search.open][:, None]

    def value(logits: Tensor) -> Tensor:
        probabilities = logits.softmax(1)
        true = probabilities.gather(1, labels)[:, 0]
        other = probabilities.scatter(1, labels, -1.0).amax(1)
        if step == 0:
            return true  # as their code does, which raises it once
        if step < PMA_STEPS // 2:
            return other if raise_other else -true
        return other - true

    return value


def a3(search: Search) -> None:
    """Attack the open images by A3's starts and steps."""
    sign = 1.0
    for turn in range(A3_ROUNDS):
        before = search.open
        if len(before) == 0:
            return
        drawn = torch.zeros(0)
        points = search.starts()
        if turn > 0:
            drawn = direction = _direction(search, turn, sign)
            for _ in range(A3_START_STEPS):
                points, right = search.step(points, _along(direction), search.ball.eps)
                direction = direction[right]
        for step in range(A3_STEPS):
            fall = (1 + math.cos(math.pi * step / (A3_STEPS + 1))) / 2
            points, _ = search.step(points, _margin(search), search.ball.eps * (0.001 + 0.999 * fall))
        search.close(points)
        if turn == 1:
            closed = ~torch.isin(before, search.open)
            weights = drawn.gather(1, search.labels[before][:, None])[closed]
            sign = -1.0 if len(weights) and float(weights.mean()) < 0 else 1.0


def _along(direction: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda logits: (logits * direction).sum(1)


def _margin(search: Search) -> Callable[[Tensor], Tensor]:
    labels = search.labels[search.open]
    return lambda logits: margin_loss(logits, labels)


def _direction(search: Search, turn: int, sign: float) -> Tensor:
    """Return a direction of the logits per open row: random, from the third round on with .8 for one wrong class."""
    labels = search.labels[search.open][:, None]
    with torch.no_grad():
        logits = search.model(search.ball.images[search.open])
    drawn = search.streams.uniform((logits.shape[1],), logits.dtype)[search.open]
    if turn == 1:
        return 2 * drawn - 1
    order = logits.scatter(1, labels, -torch.inf).argsort(1, descending=True)
    target = order[:, (turn - 2) % (logits.shape[1] - 1)][:, None]
    little = sign * (0.6 * drawn.gather(1, labels) - 0.1)  # in [-.1, .5], or in [-.5, .1]
    return (2 * drawn - 1).scatter(1, target, 0.8).scatter(1, labels, little)


ATTACKS: dict[str, Callable[[Search], None]] = {"MALT": malt, "PMA": pma, "A3": a3}


def left(name: str, model: nn.Module, rows: Rows, eps: float) -> Results:
    """Return the ids of the images that an attack leaves right, and its passes per image."""
    with counted(model) as effort, frozen(model):
        if name == OURS:
            points = attack_strength.ours(model, rows, eps, "linf")
        else:
            parts = []
            for images, labels, ids in batches(attack_strength.BATCH, *rows):
                search = Search(model, images, labels, ids, eps)
                ATTACKS[name](search)
                parts.append(search.best)
            points = torch.cat(parts)
    return {
        "left": attack_strength.left_right(model, rows, points, eps, "linf"),
        "passes": (effort.forward + effort.gradient) / len(rows.ids),
    }


def measured(count: int, networks: list[str], eps: list[float], epochs: int = 20, keep: Path | None = None) -> Results:
    """Return the race of all networks and eps."""
    training, rows = attack_strength.split(count, attack_strength.SIDES["linf"])
    lines: list[Results] = []
    for name in networks:
        model = attack_strength.trained(name, training, epochs, keep).model
        for budget in eps:
            line: Results = {"network": name, "eps": budget}
            cells = {attack: left(attack, model, rows, budget) for attack in (OURS, *ATTACKS)}
            for attack, cell in cells.items():
                together = set(cell["left"]) & set(cells[OURS]["left"])
                line[attack] = {
                    "robust_accuracy": len(cell["left"]) / count,
                    "passes": cell["passes"],
                    "with_ours": len(together) / count,
                }
            lines.append(line)
            print(line, flush=True)
    return {
        "command": racing.command(),
        "machine": racing.machine(),
        "images": count,
        "lines": lines,
        "goals": [goal.as_json() for goal in goals(lines)],
    }


def goals(lines: list[Results]) -> list[Goal]:
    """Return the goals: how much more than each of the others ours leaves at most."""
    return [
        Goal(
            f"most that ours leaves more than {attack}",
            max(line[OURS]["robust_accuracy"] - line[attack]["robust_accuracy"] for line in lines),
            MORE,
        )
        for attack in ATTACKS
    ]


def page(results: Results) -> str:
    """Return the race as Markdown."""
    rows = [
        (
            line["network"], f"{line['eps']:g}", attack, f"{line[attack]['robust_accuracy']:.1%}",
            f"{line[attack]['passes']:,.0f}", f"{line[attack]['with_ours']:.1%}",
        )
        for line in results["lines"]
        for attack in (OURS, *ATTACKS)
    ]  # fmt: skip
    what = (
        f"{results['images']} digits that no network was trained on, L-inf. A lower robust accuracy is a stronger attack. A"
        " pass is one image through the network, forward or backward, on average over all images."
    )
    columns = ("network", "eps", "attack", "left", "passes", "left with ours together")
    return racing.page("Newer attacks beside our suite", what, results, racing.table(columns, rows))


def main() -> None:
    """Run the race and write its tables."""
    parser = racing.parser(__doc__, rounds=1)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--networks", nargs="+", choices=attack_strength.NETWORKS, default=["trades", "pgd", "aloe"])
    parser.add_argument("--eps", nargs="+", type=float, default=[0.1, 0.15])
    parser.add_argument("--keep", type=Path, help="folder for networks, which attack_strength.py shares")
    options = parser.parse_args()
    racing.begin(options.threads)
    keep = options.keep and options.keep.resolve()
    results = measured(options.images, options.networks, options.eps, keep=keep)
    racing.write(options.out, "newer_attacks", results, page(results))


if __name__ == "__main__":
    main()
