"""Defensive distillation: a student learns a teacher's softened labels at a high temperature, and is used at 1.

Its logits are then as many times larger, and float32 cross-entropy has a gradient of exactly zero. Carlini & Wagner attack
the logits.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from fallen_defences.attacks import climb, lead, textbook_pgd, wrong
from fallen_defences.defence import Defence, Paper
from fallen_defences.lab import Base
from touchstone.models.small_cnn import small_cnn

PAPER = Paper(
    mechanism="saturated",
    defence="Papernot et al. 2016 (1511.04508)",
    felled="Carlini & Wagner 2017 (1608.04644)",
    deviates="L-inf steps in place of the saliency map's single pixels; both follow the gradient of the softmax",
)
TEMPERATURE = 100.0


def architecture(input_shape: tuple[int, int, int], classes: int) -> nn.Module:
    """Return the small CNN, whose last layer starts larger, so that logits over 100 can be learnt in few epochs."""
    network = small_cnn(input_shape, classes)
    network[-1].weight.data *= TEMPERATURE  # type: ignore[index]
    return network


def build(base: Base) -> Defence:
    """Return the student."""

    def taught(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        return functional.cross_entropy(model(images) / TEMPERATURE, labels)

    settings = {"source": architecture, "attack_loss": "margin"}
    teacher = base.trained("distillation_teacher", architecture, taught, **settings)

    def distilled(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
        return functional.cross_entropy(model(images) / TEMPERATURE, (teacher(images) / TEMPERATURE).softmax(1))

    model = base.trained("distillation", architecture, distilled, **settings)

    def felling(images: Tensor, labels: Tensor, eps: float) -> Tensor:
        return climb(lead(model, labels), images, eps, restarts=3, fooled=wrong(model, labels))

    return Defence(model, textbook_pgd, felling)
