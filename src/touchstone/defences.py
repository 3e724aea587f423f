"""Classifiers behind something: a detector to get past, or a router and the translators that it leads to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from touchstone.readouts import Confounding, read_out

OF_THE_NETWORK = ("logits", "features", "gradient_norms")


@dataclass(frozen=True)
class Guarded:
    """A classifier and a detector with its threshold: inputs whose score is above `threshold` are flagged.

    score: a detector with its settings bound, taking `data` in order; state: its fitted tensors; spread: of its
    calibration scores, the unit in which attacks weigh a score against a loss; label: which confounding label its
    gradient norms are of. Everything is differentiable, so that what is deployed is what is attacked.
    """

    model: nn.Module
    score: Callable[..., Tensor]
    data: tuple[str, ...]
    state: dict[str, Tensor]
    threshold: float
    spread: float
    confounding: Confounding
    label: str | None = None

    def read(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits (N, K) and anomaly scores (N,) of `images`, with a graph back to them where gradients are on."""
        wanted = [self._name(name) for name in self.data if name in OF_THE_NETWORK]
        names = dict.fromkeys(["logits", *wanted])
        differentiable = torch.is_grad_enabled()
        with torch.enable_grad():  # gradient norms need it, whoever asks
            read = read_out(self.model, images, self.confounding, names=names, differentiable=differentiable)
            others: dict[str, object] = {"images": images, "model": self.model, "state": self.state}
            scores = self.score(*(others[name] if name in others else read[self._name(name)] for name in self.data))
        return (read["logits"], scores) if differentiable else (read["logits"].detach(), scores.detach())

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
    image is translated. Papers.md 5.b; the mean of logits is the ensemble of 5.c, whose sum has the same predictions.
    """

    def __init__(self, model: nn.Module, translators: Sequence[nn.Module], router: Guarded | None = None) -> None:
        super().__init__()
        self.model, self.translators, self.router = model, nn.ModuleList(translators), router

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


class Expected(nn.Module):
    """A random part of a defence as attacks see it: the mean over `draws` calls, and so the mean gradient.

    Expectation over transformation (EOT): an attack on one draw climbs that draw's noise. Athalye et al. 2018,
    section 4.2; papers.md 6.4 asks for 20 draws or more.
    """

    def __init__(self, part: Callable[[Tensor], Tensor], draws: int = 20) -> None:
        super().__init__()
        if draws < 1:
            raise ValueError(f"draws must be at least 1, got {draws}")
        self.part, self.draws = part, draws

    def forward(self, images: Tensor) -> Tensor:
        """Return the mean of part(images) over the draws."""
        return torch.stack([self.part(images) for _ in range(self.draws)]).mean(0)
