"""Translator training without pairs: there and back again."""

from __future__ import annotations

from torch import Tensor, nn

from touchstone.contracts import Architecture, Attack, Model, NonNegativeFloat
from touchstone.numerics import tensors
from touchstone.numerics.tensors import Draws
from touchstone.training._generative import discriminator_loss, generator_loss


def companions(
    input_shape: tuple[int, int, int], *, generator_back: Architecture, discriminator: Architecture
) -> nn.ModuleDict:
    """Return what is trained beside the translator: the generator `back` and a discriminator of each kind of image."""
    return nn.ModuleDict(
        {
            "back": generator_back(input_shape),
            "clean": discriminator(input_shape),
            "attacked": discriminator(input_shape),
        }
    )


def cycle_gan(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    generator: Draws,
    classifier: Model,
    companions: nn.ModuleDict,
    *,
    attack: Attack,
    cycle_weight: NonNegativeFloat = 10.0,
    identity_weight: NonNegativeFloat = 0.5,
) -> Tensor:
    """Return the losses of two generators and two discriminators, each network getting the gradient of its own alone.

    With A the attack on `classifier` and B the images, M from A to B and R back: least-squares GAN of M(A) and of R(B),
    cycle_weight * (|R(M(A)) - A| + |M(R(B)) - B|), and identity_weight times that weight * (|M(B) - B| + |R(A) - A|),
    means over pixels. No term looks at which A was made of which B. In eval mode, to choose an epoch by: |M(A) - B|, as
    of the translators that are trained on pairs. Zhu et al. 2017; papers.md 5.b.
    """
    with tensors.frozen(classifier):
        attacked = attack(classifier, images, labels, generator)
    clean_again: Tensor = model(attacked)
    if not model.training:
        return (clean_again - images).abs().mean()
    back, judge_clean, judge_attacked = (companions[name] for name in ("back", "clean", "attacked"))
    attacked_again = back(images)
    cycle = _distance(back(clean_again), attacked) + _distance(model(attacked_again), images)
    identity = _distance(model(images), images) + _distance(back(attacked), attacked)
    games = [
        generator_loss(judge, made, "least_squares") + discriminator_loss(judge, real, made, "least_squares")
        for judge, real, made in ((judge_clean, images, clean_again), (judge_attacked, attacked, attacked_again))
    ]
    return games[0] + games[1] + cycle_weight * (cycle + identity_weight * identity)


def _distance(first: Tensor, second: Tensor) -> Tensor:
    return (first - second).abs().mean()
