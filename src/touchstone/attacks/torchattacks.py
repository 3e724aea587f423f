"""torchattacks: an attack of the library torchattacks, by the name of its class."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from touchstone.attacks.adversary.perturbations import check_inputs
from touchstone.contracts import Model, UnitInterval
from touchstone.numerics.tensors import RandomStreams, frozen
from touchstone.wrapped_classes import wrapped

NORMS = {"linf": "Linf", "l2": "L2"}  # how torchattacks spells them


def torchattacks(
    model: Model,
    images: Tensor,
    labels: Tensor,
    generator: RandomStreams,
    *,
    name: str = "PGD",
    eps: UnitInterval = 0.1,
    norm: Literal["linf", "l2"] = "linf",
    settings: dict[str, Any] | None = None,
) -> Tensor:
    """Attack each image by itself with a class of torchattacks.

    Each image has a random stream of its own, so results do not depend on batches. This is slower than attacking batches.

    Args:
        model: images in [0, 1] to logits (N, K).
        images: (N, C, H, W) in [0, 1].
        labels: (N,) int64, the true classes.
        generator: random streams of the images.
        name: of the class, such as PGD. It has an eps.
        eps: radius in pixel units of `norm`; with 0 the images come back unchanged.
        norm: of the ball; some classes keep to one of the two.
        settings: further settings of the class; null: its own.

    Returns:
        (N, C, H, W) in [0, 1], within `eps` of the images.

    References:
        Kim 2020, "Torchattacks: a PyTorch repository for adversarial attacks", arXiv:2010.01950, version 3.5.1.
    """
    chosen = dict(settings or {})
    attack, takes = wrapped("attacks/torchattacks", {"name": name, "norm": norm, "settings": chosen})
    with frozen(model):
        classes = check_inputs(model, images, labels)
        if eps == 0:
            return images.detach().clone()
        results = []
        for image, label, seed in zip(images.detach(), labels, generator.integers(2**31).tolist(), strict=True):
            passed = {"norm": NORMS[norm], "seed": seed, "verbose": False, "n_classes": classes}
            given = chosen | {key: passed[key] for key in takes.passed}
            with _only_from(seed, images.device), torch.enable_grad():
                result = attack(_Opaque(model, images.device), eps=eps, **given)(image[None], label[None])
            results.append(result.detach().to(images.dtype))
    return torch.cat(results) if results else images.detach().clone()


class _Opaque(nn.Module):
    """A model as torchattacks expects it, with one empty parameter on the right device."""

    def __init__(self, model: Model, device: torch.device) -> None:
        super().__init__()
        self.model = (model,)  # in a tuple, which hides its mode and parameters from torchattacks
        self.device = nn.Parameter(torch.zeros(0, device=device), requires_grad=False)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.model[0](images)
        return logits


@contextmanager
def _only_from(seed: int, device: torch.device) -> Iterator[None]:
    """Seed all global random streams inside the block; restore them afterwards."""
    numpy_state, python_state = np.random.get_state(), random.getstate()
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        try:
            torch.manual_seed(seed)
            np.random.seed(seed)
            random.seed(seed)
            yield
        finally:
            np.random.set_state(numpy_state)
            random.setstate(python_state)
