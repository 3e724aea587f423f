"""What `evaluate` does with one batch: the attack suite, the controls that check it, and what each leaves of every image."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from touchstone.api import gate, suite_phases
from touchstone.api.evaluation_checks import log_odds
from touchstone.attacks.adversary.budgets import check_budget
from touchstone.attacks.attack_suite import attack_suite
from touchstone.attacks.fgsm import fgsm
from touchstone.attacks.pgd import pgd
from touchstone.attacks.random_sign import random_sign
from touchstone.contracts import Attack, Model
from touchstone.numerics.tensors import RandomStreams

LARGE_EPS = 0.5  # any image can be made mid-gray, so no classifier can stay right
STREAM = "attack"  # the name of the random streams of the images
# One answer per image: is it right when clean, and after each attack; did its loss rise; is it right at the large eps?
CHECKED = ("clean", "white_box", "black_box", "single_step", "noise", "loss_rises", "large_eps", "robust")


class Effort(NamedTuple):
    """How long the suite searches.

    Attributes:
        steps: of Auto-PGD on the cross-entropy.
        restarts: of Auto-PGD on margins.
        queries: of Square.
    """

    steps: int
    restarts: int
    queries: int


def attack_rows(
    model: Model,
    images: Tensor,
    labels: Tensor,
    streams: RandomStreams,
    *,
    eps: float,
    effort: Effort,
    further: Mapping[str, Attack] | None = None,
    step: Callable[[], None] = lambda: None,
    steady: bool = True,
) -> tuple[dict[str, Tensor], Tensor]:
    """Attack images; return which rows are classified correctly, clean and under each attack, and each row's worst image.

    The suite runs as it was raced, in two phases: a check compares what gradients leave with what Square then leaves.
    A row that is wrong when clean is right under no attack. A row that is fooled within `eps` is fooled within the large
    eps, too, and its loss counts as risen: a check never contradicts a point that was found.

    Args:
        model: images to logits (N, K).
        images: (N, C, H, W) in [0, 1].
        labels: (N,).
        streams: of the images' random numbers.
        eps: radius (L-inf).
        effort: of the suite.
        further: more attacks by name.
        step: called after each attack.
        steady: whether the model draws no random numbers, so that an attack may stop at its first success.

    Returns:
        One mask (N,) for each name of CHECKED and of `further`, and images (N, C, H, W).

    Raises:
        ValueError: If an attack leaves the budget, or the model returns NaN or infinity.
    """
    every = torch.arange(len(images), device=images.device)
    logits = model(images)
    gate.check_finite_logits("the model", logits)
    clean = logits.argmax(1) == labels

    def right(changed: Tensor) -> Tensor:
        step()
        logits = model(changed)
        gate.check_finite_logits("the model", logits, "attacked images")
        return clean & (logits.argmax(1) == labels)

    draws = streams.take(every)  # the second phase of the suite goes on where the first has left them
    suite = effort._asdict() | {"queries": 0}
    followed = attack_suite(model, images, labels, draws, eps=eps, **suite)
    correct = {"clean": clean, "white_box": right(followed)}
    chosen = suite_phases.search_on(model, images, labels, draws, followed, eps=eps, queries=effort.queries)
    robust = correct["black_box"] = right(chosen)
    within: dict[str, Attack] = {"single_step": partial(fgsm, eps=eps), "noise": partial(random_sign, eps=eps)}
    for name, attack in (within | dict(further or {})).items():
        changed = attack(model, images, labels, streams.take(every))
        check_budget(name, images, changed, eps)
        correct[name] = right(changed)
        fooled = robust & ~correct[name]
        chosen, robust = torch.where(fooled[:, None, None, None], changed, chosen), robust & ~fooled
    before = log_odds(logits, labels)
    correct["loss_rises"] = ~robust
    for changed in (followed, chosen):
        correct["loss_rises"] = correct["loss_rises"] | (log_odds(model(changed), labels) > before)
    correct["large_eps"] = robust.clone()
    for loss in ("cross_entropy", "margin"):  # the gradient of the first vanishes in float32 if a network is very sure
        rows = torch.nonzero(correct["large_eps"])[:, 0]
        if len(rows):
            part = (images[rows], labels[rows], streams.take(rows))
            large = pgd(model, *part, eps=LARGE_EPS, steps=effort.steps, loss=loss, stop_on_success=steady)
            correct["large_eps"][rows] = model(large).argmax(1) == labels[rows]
    step()
    return correct | {"robust": robust}, chosen
