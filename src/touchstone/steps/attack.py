"""attack: perturb every image of an ExampleSet."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from touchstone import tensors
from touchstone.defences import Guarded
from touchstone.records import ContractError, ExampleSet

Perturb = Callable[[Any, Tensor, Tensor, tensors.Draws], Tensor]


def attack(
    examples: ExampleSet,
    model: nn.Module,
    *,
    defence: nn.Module | Guarded,
    perturb: Perturb,
    seed: int,
    batch_size: int,
    device: str,
) -> ExampleSet:
    """Return `examples` with perturbed images: on the 1/255 grid, rounded towards the clean ones so that the budget
    holds, and unquantised as the attack left them. Ids, labels and order are kept.

    defence: what is attacked, the model itself or the model behind a detector.
    Raises ContractError where `perturb` changes the shape, leaves [0, 1] or returns NaN.
    """
    images = torch.from_numpy(examples.images).to(device)
    labels = torch.from_numpy(examples.labels).to(device)
    if bool((labels < 0).any()):
        with torch.no_grad():  # without a true class, the attack starts from what the network says
            predictions = torch.cat([model(batch).argmax(1) for (batch,) in tensors.batches(batch_size, images)])
        labels = torch.where(labels < 0, predictions, labels)
    ids = torch.from_numpy(examples.example_ids).to(device)
    perturbed = torch.cat(
        [
            perturb(defence, batch, truth, tensors.Draws(seed, "attack", rows))
            for batch, truth, rows in tensors.batches(batch_size, images, labels, ids)
        ]
    )
    if perturbed.shape != images.shape:
        raise ContractError(f"the attack changed the shape: {tuple(images.shape)} to {tuple(perturbed.shape)}")
    quantised = tensors.to_grid_towards(perturbed, images)
    return ExampleSet(
        images=quantised.cpu().numpy(),
        labels=examples.labels,
        example_ids=examples.example_ids,
        source=examples.source,
        notes=examples.notes,
        unquantised=perturbed.detach().cpu().numpy(),
    )
