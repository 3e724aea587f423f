"""Profiles: where the time goes in races whose goals are hard to meet, for ours and for the contestant that sets the goal.

    python benchmarks/profiles.py [--images 256] [--rows 10000] [--width 512] [--scores 10000] [--rounds 20] [--threads 1]

The pieces of a PGD step, timed by themselves; how many passes stop_on_success can save, counted at the network; what each
part of attack_suite takes and leaves; gradient norms of a batch in one go, in halves and in quarters, their time and peak
memory against a plain pass of the whole; functions of Python (own time) of FGSM training, of stored detectors and of the
bootstrap. A profiler of functions slows small calls down, so shares count, not times. Writes profiles.json and .md into
benchmarks/results/.
"""

from __future__ import annotations

import copy
import cProfile
import pstats
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import bootstrap_auroc
import digits_networks
import gradient_features
import pgd_speed
import racing
import stored_detectors
import training_epochs
from racing import Results, Rows
from touchstone.attacks.adversary.effort import counted
from touchstone.attacks.adversary.goals import Goal
from touchstone.attacks.adversary.losses import keep_higher, logits_loss_and_gradient
from touchstone.attacks.adversary.perturbations import Ball, check_inputs
from touchstone.attacks.apgd import apgd
from touchstone.attacks.attack_suite import attack_suite
from touchstone.attacks.square import square
from touchstone.numerics.tensors import RandomStreams, frozen

EPS = (0.05, 0.1, 0.15)  # at which the parts of the attack suite are timed
MOST = 8  # lines of a profile
PARTS = (1, 2, 4)  # of a batch, one after the other


# --- the profiler --------------------------------------------------------------------------------------------------


def functions(run: Callable[[], object], *, within: str = "") -> list[Results]:
    """Return the functions that take most by themselves: where they stand, calls, their shares of the whole.

    within: a folder; then those in it that take most with what they call, for they hold what the others are called for.
    """
    run()
    profiler = cProfile.Profile()
    profiler.runcall(run)
    stats: dict[tuple[str, int, str], tuple[Any, ...]] = pstats.Stats(profiler).stats  # type: ignore[attr-defined]
    whole = sum(line[2] for line in stats.values())
    places = [place for place in stats if within in place[0]]
    places.sort(key=lambda place: -stats[place][3 if within else 2])
    return [
        {
            "function": _place(*place),
            "calls": stats[place][1],
            "share": stats[place][2] / whole,
            "with_called": stats[place][3] / whole,
        }
        for place in places[: 2 * MOST if within else MOST]
    ]


def _place(file: str, line: int, name: str) -> str:
    """Return a function by the last two parts of its file and its name; what is built in has none."""
    return f"{'/'.join(Path(file).parts[-2:])}: {name}" if line else name


# --- what is profiled ----------------------------------------------------------------------------------------------


def pgd_pieces(model: nn.Module, rows: Rows, rounds: int) -> list[Results]:
    """Return the processor milliseconds of what one PGD step is made of, on all rows, and of a look without a gradient."""
    images, labels = rows.images, rows.labels
    goal, ball = Goal(labels), Ball(images, pgd_speed.EPS)
    points = ball.random(RandomStreams(0, "attack", rows.ids))
    best, best_loss = images.clone(), torch.zeros(len(images))

    def look() -> Tensor:
        with torch.no_grad():
            return goal(model(points))

    plain = copy.deepcopy(model).requires_grad_(False)
    with frozen(model):
        _, loss, gradient = logits_loss_and_gradient(model, goal, points)
        pieces = {
            "bare forward and input gradient, by torch": lambda: pgd_speed.one_pass(plain, points, labels),
            "bare forward and input gradient, ours": lambda: pgd_speed.one_pass(model, points, labels),
            "ours: forward and input gradient, loss and logits of each image": lambda: logits_loss_and_gradient(
                model, goal, points
            ),
            "ours: step and projection": lambda: ball.step(points, gradient, pgd_speed.STEP_SIZE),
            "ours: keep what is better": lambda: keep_higher(best, best_loss, points, loss),
            "ours, twice in a call: a look at logits": look,
            "ours, once in a call: checks of the input": lambda: check_inputs(model, images, labels),
        }
        taken = racing.interleaved(pieces, rounds, clock=racing.own_seconds)
    return [{"piece": name, "milliseconds": 1e3 * line["seconds"]} for name, line in taken.items()]


def passes(model: nn.Module, rows: Rows) -> Results:
    """Return the share of 40 passes over all images that stop_on_success makes, with gradients and without."""
    with counted(model) as effort:
        images = pgd_speed.attacked(partial(pgd_speed.ours, stop=True), model, rows)
    whole = pgd_speed.STEPS * len(rows.images)
    left = pgd_speed.survivors(model, rows, images)
    without = effort.forward - effort.gradient
    return {"survive": left, "with gradients": effort.gradient / whole, "without": without / whole}


MEMBERS: dict[str, Callable[..., Tensor]] = {
    "apgd": partial(apgd, steps=20, stop_on_success=True),
    "restarts": partial(attack_suite, steps=1, queries=0),
    "square": partial(square, queries=1500, stop_on_success=True),
}


def members(model: nn.Module, rows: Rows, eps: float) -> list[Results]:
    """Return what each part of the suite takes on those whom the ones before left, and how many it leaves."""
    results, left = [], rows
    for name, member in MEMBERS.items():
        if not len(left.ids):
            break
        made: list[Tensor] = []

        def run(member: Callable[..., Tensor] = member, left: Rows = left, made: list[Tensor] = made) -> None:
            draws = RandomStreams(0, "attack", left.ids)
            made[:] = [member(model, left.images, left.labels, draws, eps=eps)]

        seconds = racing.own_seconds(run)
        left = left.take(left.withstood(model, made[0], eps))
        results.append({"eps": eps, "member": name, "seconds": seconds, "leaves": len(left.ids)})
    return results


def gradient_norms(batch: int, rounds: int, network: str = "small CNN") -> list[Results]:
    """Return time and memory of our gradient norms of a batch in parts, in units of a plain pass of the whole."""
    plain, mine = "plain forward + backward", "touchstone.numerics.gradient_norms"
    torch.manual_seed(0)
    model, images = gradient_features.NETWORKS[network](batch)
    labels, peak = (
        torch.arange(batch) % 10,
        partial(racing.elsewhere, gradient_features.peak, network=network, batch=batch),
    )
    runs = {
        (name, parts): partial(
            gradient_features.in_parts, gradient_features.MAKERS[name](model.eval()), model, images, labels, parts
        )
        for name, parts in [(plain, 1), *((mine, parts) for parts in PARTS)]
    }
    taken, whole = racing.interleaved(runs, rounds), peak(contestant=plain)
    return [
        {
            "parts": parts,
            "time": taken[mine, parts]["seconds"] / taken[plain, 1]["seconds"],
            "memory": peak(contestant=mine, parts=parts) / whole,
        }
        for parts in PARTS
    ]


def detectors(rows: int, width: int) -> dict[str, list[Results]]:
    """Return the functions that take most in our detectors that are slower than pytorch-ood's."""
    data = stored_detectors.stored(rows, width)
    pairs = {pair.name: pair for pair in stored_detectors.PAIRS}
    return {
        name: functions(partial(stored_detectors.ours, pairs[name].component, pairs[name].settings(width), data))
        for name in ("msp", "energy", "vim", "react")
    }


def measured(
    images: int, rows: int, width: int, scores: int, rounds: int, epochs: int = 20, batch: int = 256
) -> Results:
    """Return all profiles."""
    results: Results = {"command": racing.command(), "machine": racing.machine(), "images": images, "goals": []}
    results |= {"batch": batch, "rows": rows, "scores": scores}
    networks: dict[digits_networks.Kind, Any] = {
        kind: digits_networks.digits_network(kind, images, epochs) for kind in ("clean", "adversarial")
    }
    results["pieces"] = pgd_pieces(*networks["adversarial"], rounds)
    results["passes"] = {kind: passes(*pair) for kind, pair in networks.items()}
    results["members"] = [line for eps in EPS for line in members(*networks["adversarial"], eps)]
    results["gradient_norms"] = gradient_norms(batch, min(rounds, 5))
    data, held_out = training_epochs.made_up(rows, seed=1), training_epochs.made_up(10, seed=2)
    results["training"] = functions(partial(training_epochs.ours, "FGSM", data, held_out, 1), within="/touchstone/")
    results["detectors"] = detectors(rows, width)
    both = bootstrap_auroc.scores(scores, ties=False)
    results["bootstrap"] = functions(partial(bootstrap_auroc.ours, *both, 1000))
    return results


# --- the page ------------------------------------------------------------------------------------------------------


def _functions(title: str, lines: list[Results]) -> str:
    rows = [(line["function"], line["calls"], f"{line['share']:.1%}", f"{line['with_called']:.1%}") for line in lines]
    return f"### {title}\n\n" + racing.table(("function", "calls", "share of its own", "with what it calls"), rows)


def page(results: Results) -> str:
    """Return the profiles as Markdown."""
    steps = pgd_speed.STEPS
    parts = [
        "## PGD: a step in pieces",
        f"Processor milliseconds, {results['images']} digits in one batch, the adversarially trained network.",
        racing.table(
            ("piece", "milliseconds"), [(one["piece"], f"{one['milliseconds']:.2f}") for one in results["pieces"]]
        ),
        "## PGD: passes that stop_on_success makes",
        f"In units of {steps} passes over all images. Its time may be the share that survives plus .05, of a peer's {steps}"
        " passes; an image that falls late has taken its passes, so the first column is above the last.",
        racing.table(
            ("network", "passes with gradients", "without", "survive"),
            [
                (kind, *(f"{one[name]:.1%}" for name in ("with gradients", "without", "survive")))
                for kind, one in results["passes"].items()
            ],
        ),
        "## attack_suite: its parts",
        "Each meets those whom the ones before left.",
        racing.table(
            ("eps", "member", "processor seconds", "leaves"),
            [(f"{one['eps']:g}", one["member"], f"{one['seconds']:.2f}", one["leaves"]) for one in results["members"]],
        ),
        "## Gradient norms: a batch in parts",
        f"Small CNN, {results['batch']} images: ours in one go and in parts, in units of a plain pass of the whole.",
        racing.table(
            ("parts", "time", "peak memory"),
            [(one["parts"], f"{one['time']:.2f}", f"{one['memory']:.2f}") for one in results["gradient_norms"]],
        ),
        "## FGSM training: functions",
        _functions(f"One epoch of {results['rows']} images", results["training"]),
        "## Stored detectors: functions",
        f"Ours, fitted on {results['rows']} rows and scoring as many.",
        *(_functions(name, lines) for name, lines in results["detectors"].items()),
        "## Bootstrap: functions",
        _functions(f"1,000 AUROCs of {results['scores']} scores without ties", results["bootstrap"]),
    ]
    what = (
        "Where the time goes in the races whose goals are hard to meet. A profiler of functions slows small calls down,"
        " so shares count."
    )
    return racing.page("Profiles", what, results, *parts)


def main() -> None:
    """Run the profiles and write their tables."""
    parser = racing.parser(__doc__, rounds=20)
    for name, default in (("images", 256), ("rows", 10_000), ("width", 512), ("scores", 10_000)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    racing.begin(options.threads)
    results = measured(options.images, options.rows, options.width, options.scores, options.rounds)
    racing.write(options.out, "profiles", results, page(results))


if __name__ == "__main__":
    main()
