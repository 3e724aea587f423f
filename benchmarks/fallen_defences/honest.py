"""Networks that hide nothing: no judge should accuse them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from fallen_defences.attacks import textbook_pgd
from fallen_defences.defence import Defence
from fallen_defences.lab import TRAINED_AT, TRAINED_STEPS, Base, mean_cross_entropy
from touchstone.attacks.fgsm import fgsm
from touchstone.models.small_cnn import small_cnn
from touchstone.models.softmax_regression import softmax_regression
from touchstone.numerics.tensors import RandomStreams
from touchstone.training.adversarial import adversarial
from touchstone.training.label_smoothing import label_smoothing
from touchstone.training.trades import trades

EPS = TRAINED_AT
NOISE, DRAWS = 0.25, 10  # of randomised smoothing


class Smoothed(nn.Module):
    """Randomised smoothing: the mean prediction under Gaussian noise, drawn at each call (Cohen et al. 2019)."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """Return the logarithm of the mean probabilities."""
        noisy = (self.network(images + NOISE * torch.randn_like(images)) for _ in range(DRAWS))
        return torch.stack([logits.log_softmax(1) for logits in noisy]).logsumexp(0)


def _noisy(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    return mean_cross_entropy(model, images + NOISE * torch.randn_like(images), labels)


def _trades(model: nn.Module, images: Tensor, labels: Tensor, generator: RandomStreams) -> Tensor:
    return trades(model, images, labels, generator, eps=EPS, steps=TRAINED_STEPS)


def _fgsm(model: nn.Module, images: Tensor, labels: Tensor, generator: RandomStreams) -> Tensor:
    def attack(*given: object) -> Tensor:
        return fgsm(*given, eps=EPS)  # type: ignore[arg-type]

    return adversarial(model, images, labels, generator, attack=attack, clean_weight=0.5)


def _smooth_labels(model: nn.Module, images: Tensor, labels: Tensor, generator: RandomStreams) -> Tensor:
    return label_smoothing(model, images, labels, generator, smoothing=0.7)


NETWORKS: dict[str, Callable[[Base], nn.Module]] = {
    "plain": lambda base: base.network,
    "pgd": lambda base: Base(base.lab, adversarial=True).network,
    "trades": lambda base: base.lab.trained("trades", small_cnn, _trades, [_trades]),
    "linear": lambda base: Base(base.lab, adversarial=True).trained(
        "linear", softmax_regression, mean_cross_entropy, softmax_regression
    ),
    "smoothed": lambda base: Smoothed(base.trained("noisy", small_cnn, _noisy, small_cnn)).eval(),
    "fgsm": lambda base: base.lab.trained("fgsm", small_cnn, _fgsm, [_fgsm]),
    "label_smoothed": lambda base: base.lab.trained("label_smoothed", small_cnn, _smooth_labels, [_smooth_labels]),
}


def build(base: Base, name: str) -> Defence:
    """Return a network as a defence that was never evaluated weakly, and never felled."""
    model = NETWORKS[name](base)

    def none(images: Tensor, labels: Tensor, eps: float) -> Tensor:
        return images

    return Defence(model, textbook_pgd, none, drawn=name == "smoothed", share=10 if name == "smoothed" else 1)
