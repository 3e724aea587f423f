"""Saturated networks, after dendrites: a penalty drives every sigmoid to where it is flat.

In float32 the derivative of a sigmoid beyond about 17 is zero, so gradients are. Brendel & Bethge give the backward pass a
sigmoid that is not so steep.
"""

from __future__ import annotations

from torch import Tensor, nn

from fallen_defences.attacks import climb, lead, textbook_pgd, wrong
from fallen_defences.defence import Defence, Hidden, Paper, stand_ins
from fallen_defences.lab import Base, mean_cross_entropy

PAPER = Paper(
    mechanism="saturated",
    defence="Nayebi & Ganguli 2017 (1703.09202)",
    felled="Brendel & Bethge 2017 (1704.01547)",
    deviates="trained past the gentle sigmoid; the penalty is the distance of each sigmoid's input from +-20, and 0 beyond",
)
FLAT, PENALTY, GENTLE = 20.0, 0.5, 8.0


class Saturating(Hidden):
    """A sigmoid of twenty times its input, so that normalised inputs reach to where it is flat."""

    distance: Tensor

    def hard(self, values: Tensor) -> Tensor:
        """Return the sigmoid."""
        return (FLAT * values).sigmoid()

    def soft(self, values: Tensor) -> Tensor:
        """Return a sigmoid that is not so steep, and note how far values are from where the steep one is flat."""
        self.distance = (1 - values.abs()).clamp_min(0).mean()
        return (FLAT * values / GENTLE).sigmoid()


def architecture(input_shape: tuple[int, int, int], classes: int) -> nn.Module:
    """Return the study's small CNN with sigmoids."""
    side = -(-input_shape[1] // 4)
    return nn.Sequential(
        nn.Conv2d(input_shape[0], 16, 3, stride=2, padding=1), nn.BatchNorm2d(16), Saturating(),
        nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.BatchNorm2d(32), Saturating(),
        nn.Flatten(), nn.Linear(32 * side * side, 128), nn.BatchNorm1d(128), Saturating(), nn.Linear(128, classes),
    )  # fmt: skip


def penalised(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """Return the cross-entropy and the penalty."""
    with stand_ins(model):
        loss = mean_cross_entropy(model, images, labels)
    return loss + PENALTY * sum(part.distance for part in model.modules() if isinstance(part, Saturating))


def build(base: Base) -> Defence:
    """Return the defence."""
    model = base.trained("saturated", architecture, penalised, source=Saturating, rate=0.005)

    def felling(images: Tensor, labels: Tensor, eps: float) -> Tensor:
        return climb(lead(model, labels), images, eps, restarts=5, fooled=wrong(model, labels))

    return Defence(model, textbook_pgd, felling)
