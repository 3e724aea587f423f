"""Defended classifiers: a network behind a detector, and a routed pipeline."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import torch
from torch import Tensor, nn

from touchstone.models.networks.readouts import Confounding, read_out

OF_THE_NETWORK = ("logits", "features", "gradient_norms")
SOFTPLUS_BETA = 10.0  # of the softplus that takes the place of ReLU, as in models/small_cnn


@dataclass(frozen=True)
class Guarded:
    """A classifier and a detector that flags scores above `threshold`.

    Everything is differentiable, so attacks see exactly what is deployed.

    Attributes:
        model: images in [0, 1] to logits (N, K).
        score: the detector with its settings bound; it takes the values named in `data`, in that order.
        data: names of what the detector reads, such as "logits" or "images".
        state: the detector's fitted tensors.
        threshold: the score above which an image is flagged.
        spread: of the detector's calibration scores; attacks weigh scores in this unit.
        confounding: the confounding labels that gradient norms may be taken of.
        label: the confounding label of the detector's gradient norms; None if it reads none.
        typical: class means (K, D) and spread (D,) of what the detector reads of clean images, see `typical_of`.
    """

    model: nn.Module
    score: Callable[..., Tensor]
    data: tuple[str, ...]
    state: dict[str, Tensor]
    threshold: float
    spread: float
    confounding: Confounding
    label: str | None = None
    typical: dict[str, tuple[Tensor, Tensor]] = field(default_factory=dict)

    def read(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits (N, K) and anomaly scores (N,); a higher score is more anomalous.

        Both have a graph back to `images` if gradients are enabled.
        """
        differentiable = torch.is_grad_enabled()
        logits, values = self.readings(images)
        others: dict[str, object] = {"images": images, "model": self.model, "state": self.state}
        with torch.enable_grad():  # some scores take gradients themselves, even if the caller needs none
            scores = self.score(*(others[name] if name in others else values[name] for name in self.data))
        return logits, scores if differentiable else scores.detach()

    def readings(self, images: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return logits (N, K) and the network values that the detector reads.

        All have a graph back to `images` if gradients are enabled.
        """
        differentiable = torch.is_grad_enabled()
        wanted = [self._name(name) for name in self.data if name in OF_THE_NETWORK]
        names = dict.fromkeys(["logits", *wanted])
        with torch.enable_grad():  # gradient norms need it, even if the caller needs none
            read = read_out(self.model, images, self.confounding, names=names, differentiable=differentiable)
        if not differentiable:
            read = {name: values.detach() for name, values in read.items()}
        return read["logits"], {name: read[self._name(name)] for name in self.data if name in OF_THE_NETWORK}

    def _name(self, name: str) -> str:
        return f"gradient_norms.{self.label}" if name == "gradient_norms" else name


class Paths(NamedTuple):
    """Both paths of a pipeline for each image, and the path that it takes."""

    untranslated: Tensor  # (N, K)
    translated: Tensor  # (N, K)
    scores: Tensor | None  # (N,): of the router; None without one
    routed: Tensor  # (N,) bool: translated

    @property
    def logits(self) -> Tensor:
        """The logits of the pipeline, (N, K)."""
        return torch.where(self.routed[:, None], self.translated, self.untranslated)


class Pipeline(nn.Module):
    """A classifier behind translators, which a router decides whether to use.

    An image is translated if the router's score is above its threshold; without a router every image is translated. An
    attack can treat the pipeline as one model, images in [0, 1] to logits: f(image), or the mean of f(M(image)) over
    the translators M. Each row takes its own path, and its gradient goes through that path. The router may read another
    network, its encoder. The paper's ensemble adds up the logits of its translators; the mean predicts the same.

    References:
        Amich & Eshete 2022; docs/papers/translation.md, "Router" and "Translators".
    """

    def __init__(self, model: nn.Module, translators: Sequence[nn.Module], router: Guarded | None = None) -> None:
        super().__init__()
        self.model, self.translators, self.router = model, nn.ModuleList(translators), router
        self.encoder = (
            None if router is None or router.model is model else router.model
        )  # a submodule, so that it is frozen too

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits (N, K) of `images`."""
        return self.translated(images) if self.router is None else self.paths(images).logits

    def translated(self, images: Tensor) -> Tensor:
        """Return the logits (N, K) of the translated images, whatever the router decides."""
        return torch.stack([self.model(translator(images)) for translator in self.translators]).mean(0)

    def paths(self, images: Tensor) -> Paths:
        """Return both paths of each image, with a graph if gradients are enabled."""
        if self.router is None:
            everywhere = torch.ones(len(images), dtype=torch.bool, device=images.device)
            return Paths(self.model(images), self.translated(images), None, everywhere)
        untranslated, scores = self.router.read(images)
        if self.encoder is not None:
            untranslated = self.model(images)
        return Paths(untranslated, self.translated(images), scores, scores > self.router.threshold)


class Straight(nn.Module):
    """A part of a defence whose gradient is replaced by the identity (BPDA).

    Backward pass differentiable approximation is for parts that have no useful gradient and change their input little,
    such as rounding and clipping. Input and output have the same shape.

    References:
        Athalye et al. 2018, section 4.1.
    """

    def __init__(self, part: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.part = part

    def forward(self, images: Tensor) -> Tensor:
        """Return part(images), to the bit."""
        with torch.no_grad():
            changed = self.part(images)
        return changed + (images - images.detach())


def with_softplus(model: nn.Module, beta: float = SOFTPLUS_BETA) -> nn.Module | None:
    """Return a frozen copy of a network with softplus in place of each ReLU module.

    None if it has no such module, or holds what cannot be copied, such as a tensor that it computed.
    """
    if not any(isinstance(module, nn.ReLU) for module in model.modules()):
        return None
    try:
        smooth = copy.deepcopy(model).requires_grad_(False)
    except (RuntimeError, TypeError):
        return None
    for parent in list(smooth.modules()):
        for name, child in list(parent._modules.items()):  # named_children omits the second place of a shared ReLU
            if isinstance(child, nn.ReLU):
                setattr(parent, name, nn.Softplus(beta=beta))
    return smooth.eval()


def smoothed(defence: Guarded, beta: float) -> Guarded:
    """Replace every ReLU module by softplus, so that scores have gradients.

    Raises:
        ValueError: the network has no ReLU module, or cannot be copied. A ReLU that is called as a function cannot be
            replaced.
    """
    model = with_softplus(defence.model, beta)
    if model is None:
        raise ValueError("the network has no ReLU module, or cannot be copied, so none is smoothed: omit softplus_beta")
    return replace(defence, model=model)


def in_scale(name: str, values: Tensor) -> Tensor:
    """Return what a detector reads, (N, D), on a scale with meaningful distances.

    Gradient norms become logarithms.
    """
    return (values + 1e-12).log() if name == "gradient_norms" else values.flatten(1)


def typical_of(name: str, values: Tensor, labels: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """Return what is typical of clean images, per class, on the scale of `in_scale`.

    Args:
        name: what is read, such as "features".
        values: (N, ...), read of clean images.
        labels: (N,) int64.
        classes: number of classes K.

    Returns:
        The mean of each class, (K, D); a class without rows gets the mean of all rows. And the spread around it, (D,).
    """
    rows = in_scale(name, values)
    means = torch.stack(
        [rows[labels == label].mean(0) if bool((labels == label).any()) else rows.mean(0) for label in range(classes)]
    )
    return means, (rows - means[labels]).square().mean(0).sqrt().clamp_min(1e-6)
