"""Bare torch loops that do the same work as our functions: the opponents of `one_gpu.py`."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

import gradient_features
from racing import Rows
from touchstone.attacks.adversary.perturbations import Ball
from touchstone.models.networks import checkpoints
from touchstone.numerics import tensors
from touchstone.numerics.tensors import RandomStreams
from touchstone.records.nouns import Array, Checkpoint


def pgd(model: nn.Module, rows: Rows, eps: float, steps: int, start: Tensor | None = None) -> Tensor:
    """Return the points met in L-inf PGD where a wrong class leads most, from a start that torch draws or the one given."""
    images, labels = rows.images, rows.labels
    model.requires_grad_(False)
    low, high = (images - eps).clamp(min=0), (images + eps).clamp(max=1)
    points = low + (high - low) * torch.rand_like(images) if start is None else start
    best, highest = images, lead_of_wrong(model(images), labels)
    for step in range(steps + 1):
        points = points.requires_grad_(step < steps)
        logits = model(points)
        lead = lead_of_wrong(logits.detach(), labels)
        best = torch.where(wide(lead > highest), points.detach(), best)
        highest = torch.maximum(lead, highest)
        if step < steps:
            (gradient,) = torch.autograd.grad(functional.cross_entropy(logits, labels, reduction="sum"), points)
            points = (points.detach() + 2.5 * eps / steps * gradient.sign()).clamp(low, high)
    return best


def lead_of_wrong(logits: Tensor, labels: Tensor) -> Tensor:
    """Return by how much the greatest wrong logit exceeds the label's, (N,)."""
    own = labels[:, None]
    return logits.scatter(1, own, -torch.inf).amax(1) - logits.gather(1, own)[:, 0]


def margins(model: nn.Module, rows: Rows, classes: int = 3, steps: int = 40) -> Tensor:
    """Return the L-inf margins of a fast-minimum-norm loop towards the linearly nearest classes; +inf if none is found."""
    model.requires_grad_(False)
    points = rows.images.clone().requires_grad_()
    logits = model(points)
    own = logits.argmax(1, keepdim=True)
    leads = logits.gather(1, own) - logits
    slopes = [torch.autograd.grad(lead.sum(), points, retain_graph=True)[0] for lead in leads.unbind(1)]
    distances = leads.detach() / torch.stack([slope.flatten(1).abs().sum(1) for slope in slopes], 1).clamp_min(1e-12)
    radii, targets = distances.scatter(1, own, torch.inf).topk(classes, largest=False)
    results = [towards(model, rows.images, own, targets[:, [k]], radii[:, k], steps) for k in range(classes)]
    return torch.stack(results).amin(0)


def towards(model: nn.Module, images: Tensor, own: Tensor, target: Tensor, eps: Tensor, steps: int) -> Tensor:
    """Return the smallest change found towards one class per image, bisected; no image ever leaves the batch."""
    change, best, smallest = torch.zeros_like(images), torch.zeros_like(images), torch.full_like(eps, torch.inf)
    for step in range(steps):
        cosine = (1 + math.cos(math.pi * step / steps)) / 2
        size, rate = 0.005 + 0.495 * cosine, 0.001 + 0.049 * cosine
        points = (images + change).clamp(0, 1).requires_grad_()
        logits = model(points)
        lead = (logits.gather(1, own) - logits.gather(1, target))[:, 0]
        (gradient,) = torch.autograd.grad(lead.sum(), points)
        points, crossed = points.detach(), logits.argmax(1) != own[:, 0]
        norm = change.flatten(1).abs().amax(1)
        closer = crossed & (norm < smallest)
        best, smallest = torch.where(wide(closer), change, best), torch.where(closer, norm, smallest)
        gradient = torch.where((points - gradient.sign()).clamp(0, 1) == points, 0, gradient)
        linear = 1.02 * (norm + lead.detach().clamp_min(0) / gradient.flatten(1).abs().sum(1).clamp_min(1e-12))
        eps = torch.where(crossed, torch.minimum(eps * (1 - rate), smallest), eps * (1 + rate))
        eps = torch.where(smallest.isinf(), linear, eps).clamp(max=1)
        length = torch.where(smallest.isinf(), 2.0, size) * eps
        change = (change - wide(length) * gradient.sign()).clamp(-wide(eps), wide(eps))
        change = (images + change).clamp(0, 1) - images
    low, high = torch.zeros_like(eps), torch.ones_like(eps)
    norm = best.flatten(1).abs().amax(1)
    for _ in range(12):
        middle = (low + high) / 2
        limit = wide(middle * norm)
        crossed = model((images + best.clamp(-limit, limit)).clamp(0, 1)).argmax(1) != own[:, 0]
        low, high = torch.where(crossed, low, middle), torch.where(crossed, middle, high)
    return torch.where(smallest.isinf(), torch.inf, high * norm)


def wide(values: Tensor) -> Tensor:
    """Return one value per image in a shape that broadcasts over images."""
    return values[:, None, None, None]


def norms(model: nn.Module, rows: Rows) -> Tensor:
    """Return the squared norms of each image's gradients, (N, P), from a vectorised map over 128 images at once."""
    return torch.stack(list(gradient_features.vmapped(128)(model, rows.images, rows.labels).values()), 1)


def plain_pass(model: nn.Module, rows: Rows) -> None:
    """Take one forward and one backward pass with the gradients of all parameters, and no norms."""
    gradient_features.plain(model.requires_grad_(True), rows.images, rows.labels)


def training(
    architecture: Callable[..., nn.Module],
    like: Checkpoint,
    data: Rows,
    unseen: Rows,
    *,
    attack: Callable[..., Tensor] | None,
    eps: float,
    batch: int,
    rate: float,
    epochs: int = 1,
    our_start: bool = False,
) -> dict[str, Array]:
    """Return the weights that some epochs end in, from our initial weights and in our order.

    The data lie where the network does, and no batch is waited for. attack: (model, rows, start) -> images.
    """
    model = checkpoints.build(architecture, like.input_shape, like.classes, like.mean, like.std).to(data.images.device)
    optimiser = torch.optim.Adam(model.parameters(), rate)

    def seen(part: Rows, stream: str) -> Tensor:
        start = Ball(part.images, eps).random(RandomStreams(0, stream, part.ids)) if our_start else None
        return part.images if attack is None else attack(model.eval(), part, start=start)

    for epoch in range(epochs):
        order = torch.Generator().manual_seed(tensors.derive(0, f"order.{epoch}"))
        turns = torch.randperm(len(data.ids), generator=order).to(data.ids.device).split(batch)
        for turn, places in enumerate(turns):
            share = (epoch + turn / len(turns)) / epochs
            optimiser.param_groups[0]["lr"] = rate * 0.5 * (1 + math.cos(math.pi * share))
            part = data.take(places)
            images = seen(part, f"attack.{epoch}")
            model.train().requires_grad_(True)
            optimiser.zero_grad()
            functional.cross_entropy(model(images), part.labels, reduction="none").mean().backward()
            optimiser.step()
        model.eval().requires_grad_(False)
        losses, right = [], []
        for part in (Rows(*columns) for columns in tensors.batches(batch, *unseen)):
            logits = model(seen(part, "validation_attack.0"))
            losses.append(functional.cross_entropy(logits, part.labels, reduction="sum"))
            right.append((model(part.images).argmax(1) == part.labels).sum())
        _ = torch.stack(losses).sum().item(), torch.stack(right).sum().item()  # what a log would show
    return checkpoints.weights_of(model)
