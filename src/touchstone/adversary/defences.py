"""Classifiers behind something: a detector to get past, or a router and the translators that it leads to."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import torch
from torch import Tensor, nn

from touchstone.networks.readouts import Confounding, read_out

OF_THE_NETWORK = ("logits", "features", "gradient_norms")


@dataclass(frozen=True)
class Guarded:
    """A classifier and a detector with its threshold: inputs whose score is above `threshold` are flagged.

    score: a detector with its settings bound, taking `data` in order; state: its fitted tensors; spread: of its
    calibration scores, the unit in which attacks weigh a score against a loss; label: which confounding label its
    gradient norms are of. Everything is differentiable, so that what is deployed is what is attacked.
    typical: what the detector reads of clean images, per class, for attacks that imitate it (see `typical_of`).
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
        """Return logits (N, K) and anomaly scores (N,) of `images`, with a graph back to them where gradients are on."""
        differentiable = torch.is_grad_enabled()
        logits, values = self.readings(images)
        others: dict[str, object] = {"images": images, "model": self.model, "state": self.state}
        with torch.enable_grad():  # some scores take gradients of their own, whoever asks
            scores = self.score(*(others[name] if name in others else values[name] for name in self.data))
        return logits, scores if differentiable else scores.detach()

    def readings(self, images: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the logits (N, K) and what the detector reads of the network, before it makes a score of it.

        With a graph back to `images` where gradients are on.
        """
        differentiable = torch.is_grad_enabled()
        wanted = [self._name(name) for name in self.data if name in OF_THE_NETWORK]
        names = dict.fromkeys(["logits", *wanted])
        with torch.enable_grad():  # gradient norms need it, whoever asks
            read = read_out(self.model, images, self.confounding, names=names, differentiable=differentiable)
        if not differentiable:
            read = {name: values.detach() for name, values in read.items()}
        return read["logits"], {name: read[self._name(name)] for name in self.data if name in OF_THE_NETWORK}

    def _name(self, name: str) -> str:
        return f"gradient_norms.{self.label}" if name == "gradient_norms" else name


class Paths(NamedTuple):
    """What a pipeline does with each image: its logits on either path, and which of them it takes."""

    untranslated: Tensor  # (N, K)
    translated: Tensor  # (N, K)
    scores: Tensor | None  # (N,): of the router; None where there is none
    routed: Tensor  # (N,) bool: to the translators

    @property
    def logits(self) -> Tensor:
        """The logits that the pipeline gives, (N, K)."""
        return torch.where(self.routed[:, None], self.translated, self.untranslated)


class Pipeline(nn.Module):
    """A classifier f behind translators: an image is translated where the router's score is above its threshold.

    To any attack it is one model, images in [0, 1] to logits: f(image), or the mean over the translators M of
    f(M(image)), each row on its own path, so that the gradient goes through the path taken. Without a router every
    image is translated; a router may read another network, an encoder. papers.md 5.b; the mean of logits is the
    ensemble of 5.c, whose sum has the same predictions.
    """

    def __init__(self, model: nn.Module, translators: Sequence[nn.Module], router: Guarded | None = None) -> None:
        super().__init__()
        self.model, self.translators, self.router = model, nn.ModuleList(translators), router
        self.encoder = None if router is None or router.model is model else router.model  # held frozen with the rest

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits (N, K) of `images`."""
        return self.translated(images) if self.router is None else self.paths(images).logits

    def translated(self, images: Tensor) -> Tensor:
        """Return the logits of the images as the translators give them back, whatever the router says."""
        return torch.stack([self.model(translator(images)) for translator in self.translators]).mean(0)

    def paths(self, images: Tensor) -> Paths:
        """Return what happens to each image on both paths, with a graph back to them where gradients are on."""
        if self.router is None:
            everywhere = torch.ones(len(images), dtype=torch.bool, device=images.device)
            return Paths(self.model(images), self.translated(images), None, everywhere)
        untranslated, scores = self.router.read(images)
        if self.encoder is not None:
            untranslated = self.model(images)
        return Paths(untranslated, self.translated(images), scores, scores > self.router.threshold)


class Straight(nn.Module):
    """A part of a defence that attacks take for the identity: forward as it is, backward the gradient unchanged.

    Backward pass differentiable approximation (BPDA), for what has no useful gradient and changes its input little:
    rounding, clipping. Athalye et al. 2018, section 4.1. Input and output have one shape.
    """

    def __init__(self, part: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.part = part

    def forward(self, images: Tensor) -> Tensor:
        """Return part(images)."""
        with torch.no_grad():
            change = self.part(images) - images
        return images + change


def smoothed(defence: Guarded, beta: float) -> Guarded:
    """Return the defence with softplus(beta) in the place of every ReLU module, to take gradients where ReLU has none.

    ValueError where the network has no such module: ReLU called as a function cannot be replaced.
    """
    model = copy.deepcopy(defence.model)
    relus = [(parent, name) for parent in model.modules() for name, child in parent.named_children()
             if isinstance(child, nn.ReLU)]  # fmt: skip
    if not relus:
        raise ValueError("the network has no ReLU module, so there is none to smooth; leave softplus_beta out")
    for parent, name in relus:
        setattr(parent, name, nn.Softplus(beta=beta))
    return replace(defence, model=model)


def in_scale(name: str, values: Tensor) -> Tensor:
    """Return what a detector reads, (N, D), in the scale in which distances of it mean something."""
    return (values + 1e-12).log() if name == "gradient_norms" else values.flatten(1)


def typical_of(name: str, values: Tensor, labels: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """Return the mean of clean rows (N, ...) per class, (K, D), and their spread around it, (D,), `in_scale`.

    A class without rows gets the mean of all.
    """
    rows = in_scale(name, values)
    means = torch.stack(
        [rows[labels == label].mean(0) if bool((labels == label).any()) else rows.mean(0) for label in range(classes)]
    )
    return means, (rows - means[labels]).square().mean(0).sqrt().clamp_min(1e-6)
