"""attack_part: perturb every image of one shard of a set."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from touchstone.adversary.effort import Effort, counted
from touchstone.numerics import tensors
from touchstone.pipeline.steps.attack import Perturb, attack
from touchstone.records.nouns import ExampleSet


def attack_part(
    examples: ExampleSet,
    model: nn.Module,
    *,
    perturb: Perturb,
    **settings: Any,
) -> ExampleSet:
    """Perturb every image of a shard, and count the passes in whole numbers.

    Args:
        examples: the clean shard.
        model: the network whose passes are counted.
        perturb: the attack with its settings bound.
        settings: further arguments of `attack`.

    Returns:
        What `attack` returns. The notes also hold the passes in whole numbers, because rounded means cannot be added.
    """
    passes = Effort()
    with counted(model) as spent:  # all passes in this block; the attack's own passes are those within `perturb`

        def watched(attacked: object, images: Tensor, told: Tensor, generator: tensors.RandomStreams) -> Tensor:
            forward, gradient = spent.forward, spent.gradient
            perturbed = perturb(attacked, images, told, generator)
            passes.forward += spent.forward - forward
            passes.gradient += spent.gradient - gradient
            return perturbed

        found = attack(examples, model, perturb=watched, **settings)
    return replace(found, notes=found.notes | {"passes": {"forward": passes.forward, "gradient": passes.gradient}})
