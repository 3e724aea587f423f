"""Race: L-inf PGD of 40 steps to equal robust accuracy, by our pgd and three peers; and the price of a step.

    python benchmarks/pgd_speed.py [--images 256] [--rounds 7] [--resnet-images 32] [--threads 1]

The peers are torchattacks, foolbox and adv-lib. The networks are a small CNN on digits, trained clean and trained with PGD,
and a ResNet-18 on 3x32x32 pixels. All use eps .1, the step size .01 and one random start. Before any time is measured,
every contestant's images are clipped to the budget and classified again: the numbers of survivors may differ by 2 of 256 at
most. `stop_on_success` only pays for survivors, so its goal is their share of the fastest peer's time. On the ResNet, pgd
without it may take .9 of that time. A step is compared with a bare loop of forward pass and torch's input gradient, which
moves nothing. A second bare loop, with the input gradients of our attacks (`input_gradients`), shows the cost of the rest
of a step. A third makes only the passes of `stop_on_success`: at each step, one for each image that is still right.
No attack that moves all images step by step, and drops an image at its first wrong point, can take less. Writes
pgd_speed.json and .md into benchmarks/results/.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from unittest import mock

import foolbox
import torch
import torchattacks
from torch import Tensor, nn
from torch.nn import functional

import digits_networks
import racing
from adv_lib_attacks import pgd_linf
from racing import Goal, Results, Rows
from touchstone.attacks.pgd import pgd
from touchstone.numerics import input_gradients
from touchstone.numerics.tensors import RandomStreams, batches, frozen

EPS, STEP_SIZE, STEPS = 0.1, 0.01, 40
FEWER = 10  # steps of the shorter run: the difference is the price of a step, without checks, start and last look
TOLERANCE = 2 / 256  # robust accuracy, either way: what another random start changes
BATCH = 256
Attack = Callable[[nn.Module, Tensor, Tensor, Tensor], Tensor]  # model, images, labels, ids


def ours(
    model: nn.Module, images: Tensor, labels: Tensor, ids: Tensor, *, steps: int = STEPS, stop: bool = False
) -> Tensor:
    """Return our PGD's images."""
    settings = {"eps": EPS, "step_size": STEP_SIZE, "steps": steps, "stop_on_success": stop}
    return pgd(model, images, labels, RandomStreams(0, "attack", ids), **settings)  # type: ignore[arg-type]


def with_torchattacks(model: nn.Module, images: Tensor, labels: Tensor, ids: Tensor) -> Tensor:
    """Return torchattacks' images."""
    results: Tensor = torchattacks.PGD(model, eps=EPS, alpha=STEP_SIZE, steps=STEPS)(images, labels)
    return results


def with_foolbox(model: nn.Module, images: Tensor, labels: Tensor, ids: Tensor) -> Tensor:
    """Return foolbox's images."""
    attack = foolbox.attacks.LinfPGD(abs_stepsize=STEP_SIZE, steps=STEPS)
    wrapped = foolbox.PyTorchModel(model, bounds=(0, 1), device=images.device)
    results: Tensor = attack(wrapped, images, labels, epsilons=EPS)[1]
    return results


def with_adv_lib(model: nn.Module, images: Tensor, labels: Tensor, ids: Tensor) -> Tensor:
    """Return adv-lib's images."""
    results: Tensor = pgd_linf(model, images, labels, EPS, steps=STEPS, absolute_step_size=STEP_SIZE)
    return results


def bare(model: nn.Module, images: Tensor, labels: Tensor, ids: Tensor, *, ours: bool = False) -> Tensor:
    """Return the images as they are, after as many forward passes and input gradients, parameters frozen.

    The gradients are torch's, or those of `input_gradients`.
    """
    with nullcontext() if ours else torchs_gradients(), frozen(model):
        for _ in range(STEPS):
            one_pass(model, images, labels)
    return images


def passes_of_stopping(model: nn.Module, rows: Rows) -> list[int]:
    """Return the number of images that `stop_on_success` computes a gradient of, step by step."""
    sizes: list[int] = []

    def note(_: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        if torch.is_grad_enabled() and arguments[0].requires_grad:
            sizes.append(len(arguments[0]))

    with model.register_forward_pre_hook(note):
        attacked(partial(ours, stop=True), model, rows)
    return sizes


def bare_stopping(model: nn.Module, images: Tensor, labels: Tensor, ids: Tensor, *, sizes: list[int]) -> Tensor:
    """Return the images as they are, after one pass with our input gradient for each of `sizes` images."""
    with frozen(model):
        for size in sizes:
            one_pass(model, images[:size], labels[:size])
    return images


def torchs_gradients() -> AbstractContextManager[object]:
    """Return a context in which a frozen network keeps torch's input gradients."""
    return mock.patch.object(input_gradients, "speed_up", return_value=[])


def one_pass(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """Return the input gradient, by hand."""
    points = images.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(functional.cross_entropy(model(points), labels, reduction="sum"), points)
    return gradient


TO_EQUAL_ACCURACY: dict[str, Attack] = {
    "touchstone pgd, stop_on_success": partial(ours, stop=True),
    "touchstone pgd": ours,
    "torchattacks PGD": with_torchattacks,
    "foolbox LinfPGD": with_foolbox,
    "adv-lib pgd_linf": with_adv_lib,
}
PRICE_OF_A_STEP: dict[str, Attack] = {
    "bare forward + input gradient": bare,
    "bare forward + our input gradient": partial(bare, ours=True),
    "touchstone pgd": ours,
    f"touchstone pgd, {FEWER} steps": partial(ours, steps=FEWER),
}
LEAST = "bare passes of stop_on_success"
PEERS = ("torchattacks PGD", "foolbox LinfPGD", "adv-lib pgd_linf")
OF_THE_FASTEST = 0.9  # time on the ResNet, in units of the fastest peer's
OF_THE_LEAST = 1.25  # time with stop_on_success, in units of its bare passes
RESNET_ROUNDS, RESNET_EPOCHS = 3, 3  # at most: a round takes minutes


def attacked(attack: Attack, model: nn.Module, rows: Rows) -> Tensor:
    """Return what an attack makes of all rows, batch by batch."""
    return torch.cat([attack(model, *part) for part in batches(BATCH, *rows)])


def survivors(model: nn.Module, rows: Rows, images: Tensor) -> float:
    """Return the share of attacked images still classified right, each pulled back into the budget that all claim."""
    racing.require(bool(((images - rows.images).abs() <= EPS + 1e-6).all()), "an attack left its budget")
    return float(rows.withstood(model, images, EPS).float().mean())


def race(kind: str, model: nn.Module, rows: Rows, rounds: int) -> Results:
    """Return robust accuracy and times of all contestants on one network; NotEqual where accuracies differ."""
    left = {name: survivors(model, rows, attacked(run, model, rows)) for name, run in TO_EQUAL_ACCURACY.items()}
    allowed = max(TOLERANCE, 2 / len(rows.images))
    for peer in PEERS:
        for name in set(left) - set(PEERS):
            gap = left[name] - left[peer]
            racing.require(abs(gap) <= allowed, f"{kind}: {name} leaves {left[name]:.3f}, {peer} {left[peer]:.3f}")
    racing.require(len(rows.images) <= BATCH, f"{BATCH} images at most, because {LEAST} are those of one batch")
    least = {LEAST: partial(bare_stopping, sizes=passes_of_stopping(model, rows))}
    contestants = TO_EQUAL_ACCURACY | PRICE_OF_A_STEP | least
    taken = racing.interleaved({name: partial(attacked, run, model, rows) for name, run in contestants.items()}, rounds)
    lines = [{"contestant": name, "survive": left.get(name), **taken[name]} for name in contestants]
    fastest = min(PEERS, key=lambda peer: taken[peer]["seconds"])
    theirs, stopping = taken[fastest]["seconds"], taken["touchstone pgd, stop_on_success"]["seconds"]
    longer, shorter = taken["touchstone pgd"]["seconds"], taken[f"touchstone pgd, {FEWER} steps"]["seconds"]
    limit = taken[LEAST]["seconds"]
    bare_step = taken["bare forward + input gradient"]["seconds"] / STEPS
    survive = left["touchstone pgd, stop_on_success"]
    if kind == "resnet":
        goals = [Goal(f"{kind} network: time, in units of {fastest}", longer / theirs, OF_THE_FASTEST)]
    else:
        goals = [
            Goal(
                f"{kind} network: time with stop_on_success, in units of {fastest}", stopping / theirs, survive + 0.05
            ),
            Goal(f"{kind} network: the same, in units of its bare passes", stopping / limit, OF_THE_LEAST),
            Goal(
                f"{kind} network: a call of {STEPS} steps, in units of the bare loop", longer / STEPS / bare_step, 1.05
            ),
            Goal(f"{kind} network: one more step, likewise", (longer - shorter) / (STEPS - FEWER) / bare_step, 1.05),
        ]
    return {"network": kind, "images": len(rows.images), "lines": lines, "goals": [goal.as_json() for goal in goals]}


def measured(images: int, rounds: int, epochs: int = 20, resnet_images: int = 32) -> Results:
    """Return the race on all networks."""
    torch.manual_seed(0)  # the peers' starts
    kinds: tuple[digits_networks.Kind, ...] = ("clean", "adversarial")
    races = [race(kind, *digits_networks.digits_network(kind, images, epochs), rounds) for kind in kinds]
    resnet = digits_networks.digits_network("resnet", resnet_images, min(epochs, RESNET_EPOCHS))
    races.append(race("resnet", *resnet, min(rounds, RESNET_ROUNDS)))
    return {
        "command": racing.command(),
        "machine": racing.machine("torchattacks", "foolbox", "adv-lib"),
        "races": races,
        "goals": [goal for results in races for goal in results["goals"]],
    }


def page(results: Results) -> str:
    """Return the race as Markdown."""
    parts = []
    for one in results["races"]:
        rows = [
            (line["contestant"], "–" if line["survive"] is None else f"{line['survive']:.1%}", racing.shown(line))
            for line in one["lines"]
        ]
        parts += [f"## {one['network']} network, {one['images']} digits"]
        parts += [racing.table(("contestant", "survive", "seconds: median (least to greatest)"), rows)]
    what = (
        f"L-inf PGD, {STEPS} steps of {STEP_SIZE:g}, eps {EPS:g}, small CNN, and a ResNet-18 on 3x32x32"
        " pixels. With `stop_on_success` the time may be the"
        " share that survives plus .05 of the fastest peer's; robust accuracies are equal within 2 images of 256."
        " Its bare passes are one forward pass and input gradient per step of each image that is still right: no attack that"
        " moves all images step by step takes less."
    )
    return racing.page("PGD: ours, torchattacks', foolbox's and adv-lib's", what, results, *parts)


def main() -> None:
    """Run the race and write its tables."""
    parser = racing.parser(__doc__, rounds=7)
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--resnet-images", type=int, default=32)
    options = parser.parse_args()
    racing.begin(options.threads)
    results = measured(options.images, options.rounds, resnet_images=options.resnet_images)
    racing.write(options.out, "pgd_speed", results, page(results))


if __name__ == "__main__":
    main()
