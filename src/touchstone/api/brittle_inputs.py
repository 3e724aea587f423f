"""Which decisions of a model of your own change under a small perturbation, in one call from a notebook."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from touchstone.api import gate, inputs
from touchstone.api import progress as progress_line
from touchstone.api.arguments import check_whole, share
from touchstone.api.inputs import Images
from touchstone.attacks.adversary.losses import loss_and_input_gradient
from touchstone.attacks.margins.nearest_classes import nearest_classes
from touchstone.contracts import Model
from touchstone.evaluations.statistics.thresholds import catching_threshold
from touchstone.numerics.tensors import RandomStreams, batches

NAMED = 5  # rows in a message


class BrittleInput(NamedTuple):
    """One input whose decision changes under a small perturbation."""

    row: int
    prediction: int  # the class predicted for the clean image
    input_margin: float  # L-inf size of a perturbation that changes the prediction, as a share of the pixel range
    logit_margin: float  # largest logit minus the second largest


def brittle_inputs(
    model: Model,
    images: Images,
    *,
    eps: float = 8 / 255,
    threshold: float | None = None,
    batch_size: int = 256,
    progress: bool | None = None,
) -> list[BrittleInput]:
    """Return the inputs whose predicted class changes within an L-inf perturbation, the nearest first.

    A minimum-norm search towards the nearest classes looks for perturbations. So every input listed is brittle, and one
    that is not listed may still be. No labels are needed: the decision is the model's own.

    Args:
        model: images to logits (N, K), a module, a function or a program (`torch.export.load(file).module()`), with its
            normalisation inside.
        images: (N, C, H, W), floats in [0, 1]; a tensor, an array, or a loader of batches, whose labels are not read.
        eps: largest perturbation, as a share of the pixel range; above 0, at most 1.
        threshold: search only among inputs whose logit margin is at most this, which is faster: see `brittle_threshold`.
        batch_size: images per forward pass; it changes no result.
        progress: whether a call that takes longer than a few seconds shows its progress on stderr. None: on a terminal.

    Raises:
        TypeError: If images are of another type, or if the model returns none.
        ValueError: If `eps` or `batch_size` is out of range, if there are no images or they are out of range, if the model
            does not take them, or if it returns anything but finite logits with a gradient.

    >>> import torch
    >>> weights = torch.tensor([[1.0, -1.0], [-1.0, 1.0]])
    >>> model = lambda images: images.flatten(1) @ weights.T
    >>> images = torch.tensor([[0.50, 0.47], [0.9, 0.1], [0.2, 0.21]]).view(3, 1, 1, 2)
    >>> for brittle in brittle_inputs(model, images, eps=0.05):
    ...     print(brittle.row, brittle.prediction, round(brittle.input_margin, 3), round(brittle.logit_margin, 2))
    2 1 0.005 0.02
    0 0 0.015 0.06
    """
    eps = share("eps", eps, "8 / 255")
    if not 0 < eps <= 1:
        raise ValueError(f"eps must be above 0 and at most 1, got {eps:g}: it is a share of the pixel range")
    check_whole(1, batch_size=batch_size)
    brittle: list[BrittleInput] = []
    pixels = inputs.as_images("images", images, model)
    with gate.entered(model, pixels, batch_size=batch_size) as door:
        gate.check_followed(door.model, door.images)
        gate.check_steady(door.model, door.images)
        ids = torch.arange(len(door.images), device=door.images.device)
        count = math.ceil(len(door.images) / batch_size)
        with torch.no_grad(), progress_line.counted("brittle_inputs", count, progress) as step:
            for batch, rows in batches(batch_size, door.images, ids):
                predictions, leads = _decided(door.model, batch)
                chosen = torch.ones_like(predictions, dtype=torch.bool) if threshold is None else leads <= threshold
                if chosen.any():
                    _check_gradient(door.model, batch[chosen], rows[chosen])
                    draws = RandomStreams(0, "attack", rows[chosen])  # the search draws nothing
                    margins, _ = nearest_classes(door.model, batch[chosen], predictions[chosen], draws)
                    near = margins <= eps
                    columns = (rows[chosen][near], predictions[chosen][near], margins[near], leads[chosen][near])
                    brittle += [
                        BrittleInput(*values) for values in zip(*(part.tolist() for part in columns), strict=True)
                    ]
                step()
    return sorted(brittle, key=lambda one: (one.input_margin, one.row))


def brittle_threshold(
    model: Model,
    images: Images,
    *,
    eps: float = 8 / 255,
    caught: float = 0.95,
    batch_size: int = 256,
    progress: bool | None = None,
) -> float:
    """Return the logit margin that separates most brittle inputs among `images` from the others.

    For `brittle_inputs` on other images of the same kind: most of them then cost one forward pass. This pays for models
    whose logit margin ranks inputs as the input margin does. An attacker who knows the threshold can evade it.

    Args:
        caught: share of the brittle inputs whose logit margin is at most the threshold; above 0, at most 1.

    All other arguments are those of `brittle_inputs`.

    Raises:
        TypeError: As for `brittle_inputs`.
        ValueError: As for `brittle_inputs`, or if `caught` is out of range, or if no input is brittle at `eps`.

    References:
        Ngnawe et al. 2024, docs/papers/margin_consistency.md.

    >>> import torch
    >>> model = lambda images: torch.stack([images.flatten(1).sum(1), 1 - images.flatten(1).sum(1)], 1) - 1
    >>> images = torch.linspace(0.01, 1, 100).view(100, 1, 1, 1)
    >>> round(brittle_threshold(model, images, eps=0.1), 2)  # brittle are logit margins below twice eps
    0.18
    """
    caught = share("caught", caught, "0.95")
    if not 0 < caught <= 1:
        raise ValueError(f"caught must be above 0, at most 1, got {caught:g}")
    brittle = brittle_inputs(model, images, eps=eps, batch_size=batch_size, progress=progress)
    if not brittle:
        raise ValueError(f"no input is brittle at eps {float(eps):g}, so there is no threshold")
    leads = np.array([one.logit_margin for one in brittle])
    return catching_threshold(leads, np.ones(len(leads), dtype=np.bool_), caught)


def _decided(model: Model, images: Tensor) -> tuple[Tensor, Tensor]:
    logits = model(images)
    gate.check_finite_logits("the model", logits)
    top = logits.topk(2, dim=1).values
    return logits.argmax(1), top[:, 0] - top[:, 1]


def _check_gradient(model: Model, images: Tensor, rows: Tensor) -> None:
    """Raise ValueError with the rows of images at which a search cannot follow the gradient of the logits."""
    _, gradient = loss_and_input_gradient(lambda points: model(points).sum(1), images)
    found = rows[~gradient.flatten(1).isfinite().all(1)].tolist()
    if found:
        more = f" and {len(found) - NAMED} more" if len(found) > NAMED else ""
        named = f"row{'s' * (len(found) > 1)} {', '.join(map(str, found[:NAMED]))}{more}"
        raise ValueError(
            f"the gradient in the images is NaN or infinite, at least in {named}: look at what the model divides by and"
            " takes the root of there, such as the deviation of an image of one colour, or leave these images out"
        )
