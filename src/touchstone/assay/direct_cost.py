"""What an assay in this process will do, and about how long: said before it begins."""

from __future__ import annotations

import time
from typing import Any

import torch
from torch import Tensor

from touchstone.api.deployed import NOTHING, Deployed, has_gradient
from touchstone.api.imitation import Imitation
from touchstone.attacks.adversary.losses import margin_loss
from touchstone.attacks.pgd import pgd
from touchstone.messages import say
from touchstone.numerics.tensors import RandomStreams

TIMED = 32  # images that passes are timed on
TRIED_STEPS = 10  # of PGD, which shows how many images resist
EARLY, EARLY_QUERIES = (
    15,
    60,
)  # passes of an image that the first attack fools, and of a search for it that sees only answers
WITHOUT_GRADIENT = (
    "Its {what} have no gradient (numpy, no_grad or rounding inside?), so attacks follow a small network that is trained to"
    " imitate it. --backward names what they should follow instead."
)


def announce(models: list[Any], images: Tensor, labels: Tensor, settings: dict[str, Any]) -> None:
    """Print how many images are attacked, for how long, and what attacks follow if a single model has no gradient."""
    seconds = 0.0
    for model in models:
        count = min(TIMED, settings["batch_size"])
        deployed, some = Deployed(model).eval(), images[:count]
        with torch.no_grad():
            classes, kind = deployed.answer(some[:1]).logits.shape[1], deployed.answer(some[:1]).kind
        alone = len(models) == 1  # two models are compared without the searches that a defence needs
        on_classes, on_scores = has_gradient(deployed, images, settings["batch_size"])
        imitated = alone and (not on_classes or (kind != NOTHING and not on_scores))
        if imitated and settings.get("backward") is None:
            say(f"  - {WITHOUT_GRADIENT.format(what='rejections' if on_classes else 'logits')}")
        stand_in = Imitation(some.shape[1], classes) if imitated else None
        resisting = _resisting(deployed, some, labels[:count], settings["eps"]) if on_classes else 1.0
        early = EARLY + EARLY_QUERIES * alone
        passes = resisting * _passes(settings, alone) + (1 - resisting) * early
        seconds += passes * len(images) * _seconds(deployed, stand_in, some)
    minutes = seconds * settings.get("draws", 1) / 60
    say(f"{len(images)} images are attacked, about {max(minutes, 1):.0f} min.")


def _resisting(model: Deployed, images: Tensor, labels: Tensor, eps: float) -> float:
    """Return the share of images that a short PGD does not fool."""
    streams = RandomStreams(0, "cost", torch.arange(len(images)))
    changed = pgd(model, images, labels, streams, eps=eps, steps=TRIED_STEPS, loss="margin")
    with torch.no_grad():
        return float((margin_loss(model(changed), labels) < 0).double().mean())


def _passes(settings: dict[str, Any], evaded: bool) -> float:
    """Return the passes for an image that resists, near the boundary: of attacks, checks and evasion."""
    restarts, steps, queries = settings["restarts"], settings["steps"], settings["queries"]
    first = steps + 19 * min(restarts, 3) + 75 + 2 * steps
    suite = first + 19 * max(restarts - 3, 0) + 150 + queries / 30
    return float(suite + (queries / 3 + 4 * min(restarts, 5) * steps if evaded else 0))


def _seconds(model: Deployed, stand_in: Imitation | None, images: Tensor) -> float:
    """Return the seconds of one pass of one image: forward, and backward through the model or what imitates it."""
    points = images.clone().requires_grad_()
    best = float("inf")
    for _ in range(2):
        start = time.perf_counter()
        answer = model.answer(points)
        followed = answer if stand_in is None else stand_in.answer(points)
        torch.autograd.grad(followed.logits.logsumexp(1).sum(), points)
        best = min(best, time.perf_counter() - start)
    return best / len(images)
