"""Race on one GPU: PGD, margins, gradient norms and training against bare torch loops, and verdicts against the CPU.

    python benchmarks/one_gpu.py [--images 1024] [--batches 256 1024] [--rounds 5] [--threads 16] [--parts verdicts formats]
    python benchmarks/one_gpu.py --device cpu --images 64 --rounds 1        test the code on a machine without a GPU

Networks: a small CNN on digits of 1x28x28 and a ResNet-18 on digits of 3x32x32, both trained with PGD.

- Races: the loops of `bare_loops.py` run under the settings of our jobs (float32, TF32 off, deterministic algorithms), and
  again with torch's defaults. Before any time is measured, both must give the same result; our margins may be
  smaller. The bare loop for gradient norms is `torch.func.vmap`. Beside it stands a plain pass: one forward and one
  backward pass of the batch, without norms. Trainings take three epochs.
- Operations: the number of torch operations per batch. Waits: the operations for which Python waits for the device.
- Formats: values of `study.precision` and `study.memory_format`.
- Verdicts: the same trained network and images on the CPU and on the device.

Without a GPU nothing is raced or written, unless you pass `--device cpu`. Writes one_gpu.json and .md into
benchmarks/results/.
"""

from __future__ import annotations

import copy
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

import bare_loops
import gpu_subjects
import gradient_features
import racing
from gpu_subjects import BATCH, EPS, RATE, STEPS, TRAINING_STEPS, Subject, rows_of, settle, settled, until_done
from racing import Goal, Results, Rows
from touchstone.attacks.adversary.perturbations import Ball
from touchstone.models.resnet18 import resnet18
from touchstone.models.small_cnn import small_cnn
from touchstone.numerics import precision, tensors
from touchstone.numerics.tensors import RandomStreams

SLOWEST, POINTS = 0.8, 1.0  # least share of the bare loop's throughput; most points between verdicts
EPOCHS = 3  # of a training that is raced
OURS, BARE, DEFAULTS, PLAIN = "touchstone", "bare loop", "bare loop, torch's defaults", "plain pass, no norms"
PARTS = ("races", "verdicts", "formats")
FORMATS: dict[str, dict[str, str]] = {
    "float32": {},
    "tf32": {"precision": "tf32"},
    "bfloat16": {"precision": "bfloat16"},
    "channels_last": {"memory_format": "channels_last"},
    "bfloat16, channels_last": {"precision": "bfloat16", "memory_format": "channels_last"},
}
Run = Callable[..., Any]
Runs = Mapping[str, Run]


# --- contestants --------------------------------------------------------------------------------------------------


def bare_training(
    one: Subject, attacked: bool, device: str, epochs: int = 1, our_start: bool = False
) -> dict[str, Any]:
    """Return the final weights of a plain loop whose data are on the device from the start."""
    data, unseen = rows_of(one.training, device), rows_of(one.validation, device)
    attack = partial(bare_loops.pgd, eps=EPS, steps=TRAINING_STEPS) if attacked else None
    assert one.checkpoint is not None
    settings: Results = {"attack": attack, "eps": EPS, "batch": BATCH, "rate": RATE, "our_start": our_start}
    return bare_loops.training(one.architecture, one.checkpoint, data, unseen, epochs=epochs, **settings)


BARE_LOOPS: dict[str, tuple[Run, Run]] = {  # ours first
    "PGD": (gpu_subjects.our_pgd, partial(bare_loops.pgd, eps=EPS, steps=STEPS)),
    "margins": (gpu_subjects.our_margins, bare_loops.margins),
    "gradient norms": (gpu_subjects.our_norms, bare_loops.norms),
}


def in_batches(run: Run, model: nn.Module, rows: Rows, batch: int) -> list[Any]:
    """Return the results of a function, batch by batch."""
    return [run(model, Rows(*part)) for part in tensors.batches(batch, *rows)]


# --- the same results ---------------------------------------------------------------------------------------------


def compare(work: str, model: nn.Module, rows: Rows) -> None:
    """Raise NotEqual if our loop gives a worse result than the bare loop, or PGD another accuracy."""
    ours, bare = BARE_LOOPS[work]
    if work == "gradient norms":  # of the first images, against float64
        few = [column[: gradient_features.CHECKED] for column in (rows.images, rows.labels)]
        exact = gradient_features.loop(copy.deepcopy(model).double().requires_grad_(True), few[0].double(), few[1])
        error = gradient_features.worst_error(gradient_features.touchstone(model, *few), exact)
        plain = gradient_features.worst_error(gradient_features.loop(model.requires_grad_(True), *few), exact)
        allowed = max(gradient_features.TOLERANCE, 2 * plain)  # where p is near 1, float32 rounds 1 - p
        racing.require(error <= allowed, f"gradient norms are wrong by {error:.1e}, those of a loop by {plain:.1e}")
        first = rows.take(torch.arange(len(few[1]), device=rows.ids.device))
        theirs, mine = bare(model, first), ours(model, first)
        apart = float(((theirs - mine).abs() / mine.clamp_min(1e-12)).max())
        racing.require(apart <= 2 * allowed, f"gradient norms of the loops differ by {apart:.1e}")
        return
    same = {"start": Ball(rows.images, EPS).random(RandomStreams(0, "attack", rows.ids))} if work == "PGD" else {}
    mine, other = ours(model, rows), bare(model, rows, **same)
    if work == "PGD":  # from the same starts: others move the accuracy of few images by points
        gap = (rows.withstood(model, mine, EPS).float() - rows.withstood(model, other, EPS).float()).mean().abs()
        racing.require(float(gap) <= max(0.01, 2 / len(mine)), f"PGD: robust accuracies differ by {float(gap):.3f}")
    else:
        both = mine.isfinite() & other.isfinite()
        larger = float((mine[both] / other[both]).log().mean().nan_to_num())  # none in both: nothing to compare
        lost = int(other.isfinite().sum() - mine.isfinite().sum())  # the bare loop may be less exact, ours may not
        racing.require(
            larger <= 0.05 and lost <= 0.01 * len(mine), f"our margins are {larger:.2f} larger, {lost} not found"
        )


def compare_training(one: Subject, attacked: bool, device: str) -> None:
    """Raise NotEqual if the training loops differ after two batches with the same starts of PGD.

    After more batches, rounding changes signs in PGD and in Adam.
    """
    few = one._replace(training=one.training.take(np.arange(min(2 * BATCH, len(one.training)))))
    mine = gpu_subjects.our_training(few, attacked, device)
    other = bare_training(few._replace(checkpoint=mine), attacked, device, our_start=True)
    apart = max(
        float(np.abs(values - other[n]).max() / (np.abs(values).max() + 1e-9)) for n, values in mine.weights.items()
    )
    racing.require(apart <= 0.01, f"{one.name}: weights differ by {apart:.1e}, attacked: {attacked}")


# --- the race -----------------------------------------------------------------------------------------------------


def race(work: str, one: Subject, batch: int, images: int, runs: Runs, rounds: int, device: str) -> Results:
    """Return times, images a second, and operations and waits per batch, for each contestant."""
    turns = {name: partial(settled, run, {}, name != DEFAULTS) for name, run in runs.items()}
    lines = []
    for name, taken in racing.interleaved(turns, rounds, clock=until_done).items():
        settle({})
        with gpu_subjects.Counting(device) as count:
            runs[name]()
        per_batch = {key: getattr(count, key) / math.ceil(images / batch) for key in ("operations", "waits")}
        lines.append({"contestant": name, "rate": images / taken["seconds"], **taken, **per_batch})
        print(f"{work}, {one.name}, batch {batch}, {name}: {racing.shown(taken)}", file=sys.stderr, flush=True)
    return {"work": work, "network": one.name, "batch": batch, "images": images, "lines": lines}


def races(one: Subject, images: int, batches: Sequence[int], rounds: int, device: str) -> Iterator[Results]:
    """Yield the races of all kinds of work on one network; margins use a quarter of the images."""
    model = one.model(device)
    for work, (ours, bare) in BARE_LOOPS.items():
        rows = rows_of(one.test, device, images // 4 if work == "margins" else images)
        settle({})
        compare(work, model, rows)
        for batch in sorted({min(batch, len(rows.ids)) for batch in batches}):
            contestants = {OURS: ours, BARE: bare, DEFAULTS: bare}
            if work == "gradient norms":
                contestants[PLAIN] = bare_loops.plain_pass
            runs = {name: partial(in_batches, run, model, rows, batch) for name, run in contestants.items()}
            yield race(work, one, batch, len(rows.ids), runs, rounds, device)
    for attacked, work in ((False, "clean training"), (True, "PGD training")):
        settle({})
        compare_training(one, attacked, device)
        loops: Runs = {OURS: gpu_subjects.our_training, BARE: bare_training, DEFAULTS: bare_training}
        runs = {name: partial(run, one, attacked, device, epochs=EPOCHS) for name, run in loops.items()}
        yield race(work, one, BATCH, EPOCHS * len(one.training), runs, rounds, device)


def formats(one: Subject, images: int, batch: int, rounds: int, device: str) -> list[Results]:
    """Return images a second of our PGD and our training in every number format and memory format."""
    rows, judge = rows_of(one.test, device, images), one.model(device)
    settings = {name: {"device": device, **options} for name, options in FORMATS.items()}
    attacks = {}
    for name, options in settings.items():
        model = precision.adapted(one.model(device), options)
        attacks[name] = partial(in_batches, precision.objective(gpu_subjects.our_pgd, options), model, rows, batch)
    trainings = {
        name: partial(gpu_subjects.our_training, one, True, device, options) for name, options in settings.items()
    }
    results = []
    for work, runs, count in (("PGD", attacks, images), ("PGD training", trainings, len(one.training))):
        turns = {name: partial(settled, run, settings[name]) for name, run in runs.items()}
        made = {name: turn() for name, turn in turns.items()}  # this is their warm-up
        taken = racing.interleaved(turns, rounds, warm_up=False, clock=until_done)
        settle({})
        for name in turns:
            if work == "PGD":
                right = float(rows.withstood(judge, torch.cat(made[name]).float(), EPS).float().mean())
            else:
                right = float(made[name].history["validation_accuracy"][-1])
            line = {"work": work, "network": one.name, "format": name, "right": right}
            results.append({**line, "rate": count / taken[name]["seconds"], **taken[name]})
    return results


# --- the tables ---------------------------------------------------------------------------------------------------


def goals(races: Sequence[Results], verdicts: Sequence[Results], device: str) -> list[Goal]:
    """Return the goals for throughput on a GPU, and for verdicts on the two devices."""
    required = []
    for one in races:
        rate = {line["contestant"]: line["rate"] for line in one["lines"]}
        name = f"{one['work']}, {one['network']}, batch {one['batch']}: throughput, in units of the bare loop's"
        required.append(Goal(name, rate[OURS] / rate[BARE], SLOWEST, "at least"))
    for one in verdicts:
        apart = max(abs(one["cpu"][name] - value) for name, value in one[device].items())
        name = f"verdicts, {one['network']}: points between CPU and {device}"
        required.append(Goal(name, apart, POINTS))
    return required


def measured(
    images: int, batches: Sequence[int], rounds: int, device: str, width: int, parts: Sequence[str] = PARTS
) -> Iterator[Results]:
    """Yield the results so far, after each race, the verdicts of each network, and the formats."""
    settle({})
    deep = f"ResNet-18 of width {width}"
    subjects = [
        gpu_subjects.subject("small CNN", small_cnn, (1, 28), images, device),
        gpu_subjects.subject(deep, partial(resnet18, width=width), (3, 32), images, device),
    ]
    where = racing.machine("scikit-learn", "scipy")
    if device == "cuda":
        where["processor"] = f"{torch.cuda.get_device_name()} and {where['processor']}"
        where["versions"] |= {"CUDA": torch.version.cuda, "cuDNN": torch.backends.cudnn.version()}
    results: Results = {"command": racing.command(), "machine": where, "device": device}
    results |= {"races": [], "formats": [], "verdicts": [], "goals": []}
    for one in subjects if "races" in parts else ():
        for raced in races(one, images, batches, rounds, device):
            results["races"].append(raced)
            yield results
    judged = min(128, images // 2)  # the CPU needs a second for each on ResNet-18
    for one in subjects if "verdicts" in parts else ():
        points = {name: gpu_subjects.verdicts(one, judged, max(batches), name) for name in ("cpu", device)}
        results["verdicts"].append({"network": one.name, "images": judged, **points})
        yield results
    if device == "cuda":  # goals are for a GPU
        results["goals"] = [goal.as_json() for goal in goals(results["races"], results["verdicts"], device)]
    if "formats" in parts:
        results["formats"] = formats(subjects[-1], images, max(batches), rounds, device)
    yield results


def page(results: Results) -> str:
    """Return everything as Markdown."""
    lines = [
        (f"{one['work']}, {one['network']}", one["batch"], line["contestant"], racing.shown(line), f"{line['rate']:.4g}",
         f"{line['rate'] / one['lines'][1]['rate']:.2f}", f"{line['operations']:.0f}", f"{line['waits']:.0f}")
        for one in results["races"]
        for line in one["lines"]
    ]  # fmt: skip
    formats = [
        (f"{line['work']}, {line['network']}", line["format"], racing.shown(line), f"{line['rate']:.4g}",
         f"{line['right']:.1%}")
        for line in results["formats"]
    ]  # fmt: skip
    device = results["device"]
    verdicts = [
        (f"{one['network']}, {one['images']} images", name, f"{here:.2f}", f"{there:.2f}", f"{there - here:+.2f}")
        for one in results["verdicts"]
        for (name, here), there in zip(one["cpu"].items(), one[device].values(), strict=True)
    ]
    taken = "seconds: median (least to greatest)"
    return racing.page(
        f"One device ({device}): ours and bare loops",
        "Images a second of our functions and of bare loops that do the same work; `x` is in units of the bare loop. "
        "Operations and waits are per batch. `right` is the robust accuracy that an attack leaves, judged in float32, or "
        "the accuracy of the network after its training. Verdicts are in percent, differences in points.",
        results,
        racing.table(("work", "batch", "contestant", taken, "images a second", "x", "operations", "waits"), lines),
        "## Formats",
        racing.table(("work", "format", taken, "images a second", "right"), formats),
        "## Verdicts",
        racing.table(("network", "verdict", "CPU", device, "difference"), verdicts),
    )


def main() -> None:
    """Run the race and write its tables; without the requested GPU, say so and write nothing."""
    parser = racing.parser(__doc__, rounds=5)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument(
        "--images", type=int, default=1024, help="for PGD and gradient norms; training uses 4 x as many"
    )
    parser.add_argument(
        "--batches", type=int, nargs="+", default=[256, 1024], help="of PGD, margins and gradient norms"
    )
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--width", type=int, help="of ResNet-18; 64, or 8 on a CPU")
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        print("one_gpu: torch finds no GPU here, so nothing was raced and nothing written; --device cpu tries the code")
        return
    racing.begin(options.threads)
    width = options.width or (64 if options.device == "cuda" else 8)
    for results in measured(options.images, options.batches, options.rounds, options.device, width, options.parts):
        racing.save(options.out, "one_gpu", results, page(results))  # a GPU may be lent for minutes
    print(page(results))


if __name__ == "__main__":
    main()
