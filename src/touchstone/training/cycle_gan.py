"""Translator training without pairs: there and back again (CycleGAN)."""

from __future__ import annotations

from torch import Tensor, nn

from touchstone.contracts import Architecture, Attack, Model, NonNegativeFloat
from touchstone.numerics import tensors
from touchstone.numerics.tensors import RandomStreams
from touchstone.training._generative import discriminator_loss, generator_loss, judge


def companions(
    input_shape: tuple[int, int, int], *, generator_back: Architecture, discriminator: Architecture
) -> nn.ModuleDict:
    """Return what is trained with the translator: `back` and two discriminators of single images (`paired: false`)."""
    return nn.ModuleDict(
        {
            "back": generator_back(input_shape),
            "clean": judge(discriminator, input_shape, pairs=False),
            "attacked": judge(discriminator, input_shape, pairs=False),
        }
    )


def cycle_gan(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    generator: RandomStreams,
    classifier: Model,
    companions: nn.ModuleDict,
    *,
    attack: Attack,
    cycle_weight: NonNegativeFloat = 10.0,
    identity_weight: NonNegativeFloat = 0.5,
) -> Tensor:
    """Train a translator and its way back, each against a discriminator.

    With A the attacked images, B the clean ones, M the translator from A to B and R the way back, the loss is the sum of

    - least-squares GAN losses of M(A) and R(B), for generators and discriminators;
    - cycle_weight * (|R(M(A)) - A| + |M(R(B)) - B|);
    - cycle_weight * identity_weight * (|M(B) - B| + |R(A) - A|).

    Distances are means over pixels. No term uses which A was made from which B. Each network gets only the gradient of its
    own part.

    Args:
        model: the translator M, being trained.
        images: (N, C, H, W) in [0, 1], the clean images B.
        labels: (N,) int64, the true classes, for the attack.
        generator: random streams of the images, for the attack.
        classifier: attacked in eval mode, not trained.
        companions: of `companions`, being trained.
        attack: makes A from B.
        cycle_weight: of the cycle terms.
        identity_weight: of the identity terms, relative to the cycle terms.

    Returns:
        The sum; in eval mode |M(A) - B|, which chooses the best epoch, as for translators trained on pairs.

    References:
        Zhu et al. 2017; docs/papers/translation.md, "Translators".
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
