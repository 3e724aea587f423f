"""How strong and how fast the attack suite is beside torchattacks, on one adversarially trained CNN and the digits.

    python benchmarks/attack_strength.py [--images 500] [--rounds 3] [--threads 1]

Trains the network (a small CNN, PGD with 7 steps of eps .1), then takes turns, so that a busy machine slows both alike:
robust accuracy and time of worst_of (APGD-CE, targeted APGD-DLR, Square) and of torchattacks' AutoAttack, at several
eps; median minimum-norm margin and time of nearest_classes and of torchattacks' FAB. Each prediction is taken again
from the images that came back, within the budget. Writes attack_strength.json and .md into benchmarks/results/.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchattacks
from torch import Tensor, nn

from touchstone import networks
from touchstone.attacks.apgd import apgd
from touchstone.attacks.pgd import pgd
from touchstone.attacks.square import square
from touchstone.attacks.worst_of import worst_of
from touchstone.data.digits import digits
from touchstone.margins.fab import fab
from touchstone.margins.nearest_classes import nearest_classes
from touchstone.models.small_cnn import small_cnn
from touchstone.sources.sklearn_digits import sklearn_digits
from touchstone.steps.train import train
from touchstone.tensors import Draws, batches
from touchstone.training.adversarial import adversarial

RESULTS = Path(__file__).parent / "results"
EPS = (0.05, 0.1, 0.15)
BATCH = 256


def network_and_images(count: int) -> tuple[nn.Module, Tensor, Tensor, Tensor]:
    """Return the adversarially trained network, and images, labels and ids that it was not trained on."""
    with tempfile.TemporaryDirectory() as folder:
        sklearn_digits(Path(folder))
        parts = {part: digits(Path(folder), part=part) for part in ("train", "validation", "test", "detector_train")}  # type: ignore[arg-type]
    objective = partial(adversarial, attack=partial(pgd, eps=0.1, steps=7))
    settings = {"epochs": 20, "learning_rate": 0.004, "architecture_settings": {"use": "models/small_cnn"}}
    checkpoint = train(parts["train"], parts["validation"], architecture=small_cnn, objective=objective, **settings)  # type: ignore[arg-type]
    unseen = [parts["test"], parts["detector_train"]]
    images, labels, ids = (
        torch.from_numpy(np.concatenate([getattr(part, name) for part in unseen])[:count])
        for name in ("images", "labels", "example_ids")
    )
    return networks.load(small_cnn, checkpoint), images, labels, ids


def ours(model: nn.Module, images: Tensor, labels: Tensor, ids: Tensor, eps: float) -> Tensor:
    """Return the images of worst_of with the members that a robust accuracy needs."""
    members = [
        partial(apgd, eps=eps, steps=50, stop_on_success=True),
        partial(apgd, eps=eps, steps=50, loss="dlr", target="each", stop_on_success=True),
        partial(square, eps=eps, queries=1000, stop_on_success=True),
    ]
    return worst_of(model, images, labels, Draws(0, "attack", ids), attacks=members)


def theirs(model: nn.Module, images: Tensor, labels: Tensor, ids: Tensor, eps: float) -> Tensor:
    """Return the images of torchattacks' standard AutoAttack."""
    attack = torchattacks.AutoAttack(model, norm="Linf", eps=eps, version="standard", n_classes=10, seed=0)
    return attack(images, labels)


def our_margins(model: nn.Module, images: Tensor, labels: Tensor, ids: Tensor) -> Tensor:
    """Return minimum-norm margins by nearest_classes."""
    return nearest_classes(model, images, labels, Draws(0, "margins", ids))[0]


def our_fab(model: nn.Module, images: Tensor, labels: Tensor, ids: Tensor) -> Tensor:
    """Return minimum-norm margins by our FAB, ten steps."""
    return fab(model, images, labels, Draws(0, "margins", ids), steps=10)[0]


def their_margins(model: nn.Module, images: Tensor, labels: Tensor, ids: Tensor, *, steps: int) -> Tensor:
    """Return minimum-norm margins by torchattacks' FAB; its eps only drops what is farther, so it is 1."""
    with torch.no_grad():
        predictions = torch.cat([model(part).argmax(1) for (part,) in batches(BATCH, images)])
    attack = torchattacks.FAB(model, norm="Linf", eps=1.0, steps=steps, n_restarts=1, n_classes=10, seed=0)
    found = attack(images, predictions)
    with torch.no_grad():
        crossed = model(found).argmax(1) != predictions
    return torch.where(crossed, (found - images).flatten(1).abs().amax(1), torch.inf)


def seconds(function: Callable[..., Tensor], *data: Any) -> tuple[float, Tensor]:
    """Return how long a call took, and what it returned, batch by batch."""
    start = time.perf_counter()
    model, *tensors = data
    found = torch.cat([function(model, *part) for part in batches(BATCH, *tensors)])
    return time.perf_counter() - start, found


def robust(model: nn.Module, images: Tensor, labels: Tensor, attacked: Tensor, eps: float) -> float:
    """Return the accuracy on attacked images, pulled back into the budget that both claim to keep."""
    inside = attacked.clamp(images - eps, images + eps).clamp(0, 1)
    with torch.no_grad():
        return float((model(inside).argmax(1) == labels).float().mean())


def measured(count: int, rounds: int) -> dict[str, Any]:
    """Return all measurements: per contestant its value and the times of all rounds."""
    model, images, labels, ids = network_and_images(count)
    with torch.no_grad():
        clean = float((model(images).argmax(1) == labels).float().mean())
    suites = {"touchstone worst_of": ours, "torchattacks AutoAttack": theirs}
    methods: dict[str, Callable[..., Tensor]] = {
        "touchstone nearest_classes": our_margins,
        "touchstone fab, 10 steps": our_fab,
        "torchattacks FAB, 10 steps": partial(their_margins, steps=10),
        "torchattacks FAB, 100 steps": partial(their_margins, steps=100),
    }
    accuracy: dict[str, dict[str, Any]] = {}
    margins: dict[str, dict[str, Any]] = {name: {"seconds": []} for name in methods}
    for _ in range(rounds):
        for eps in EPS:
            for name, suite in suites.items():
                taken, attacked = seconds(partial(suite, eps=eps), model, images, labels, ids)
                row = accuracy.setdefault(f"{name} @ {eps:g}", {"name": name, "eps": eps, "seconds": []})
                row["seconds"].append(taken)
                row["robust_accuracy"] = robust(model, images, labels, attacked, eps)
        for name, method in methods.items():
            taken, found = seconds(method, model, images, labels, ids)
            margins[name]["seconds"].append(taken)
            margins[name] |= {"median": float(found.median()), "not_found": int(found.isinf().sum())}
    return {
        "images": len(images),
        "clean_accuracy": clean,
        "accuracy": accuracy,
        "margins": margins,
        "environment": {
            "torch": torch.__version__,
            "torchattacks": torchattacks.__version__,
            "threads": torch.get_num_threads(),
            "machine": platform.machine(),
        },
    }


def table(found: dict[str, Any]) -> str:
    """Return the measurements as Markdown."""
    lines = [
        f"Small CNN trained with PGD (eps .1, 7 steps), {found['images']} digits that it never saw,"
        f" clean accuracy {found['clean_accuracy']:.1%}; medians of {len(next(iter(found['margins'].values()))['seconds'])}"
        f" rounds that take turns; torch {found['environment']['torch']}, {found['environment']['threads']} thread.",
        "",
        "| suite | eps | robust accuracy | seconds |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {row['name']} | {row['eps']:g} | {row['robust_accuracy']:.1%} | {statistics.median(row['seconds']):.2f} |"
        for row in found["accuracy"].values()
    ]
    lines += ["", "| minimum norm | median margin | not found | seconds |", "|---|---|---|---|"]
    for name, row in found["margins"].items():
        lines.append(f"| {name} | {row['median']:.5f} | {row['not_found']} | {statistics.median(row['seconds']):.2f} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, print the table and write both files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULTS)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    found = measured(chosen.images, chosen.rounds)
    chosen.out.mkdir(parents=True, exist_ok=True)
    (chosen.out / "attack_strength.json").write_text(json.dumps(found, indent=1) + "\n")
    (chosen.out / "attack_strength.md").write_text(table(found))
    print(table(found))


if __name__ == "__main__":
    main()
