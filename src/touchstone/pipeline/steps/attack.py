"""attack: perturb every image of an ExampleSet."""

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor, nn

from touchstone.attacks.adversary.defences import Guarded, typical_of
from touchstone.attacks.adversary.effort import counted
from touchstone.attacks.adversary.evasion import flat_scores
from touchstone.attacks.adversary.expectation import Expected
from touchstone.numerics import tensors
from touchstone.pipeline.steps.score import columns_of
from touchstone.records.nouns import ContractError, ExampleSet, Outputs

Perturb = Callable[[Any, Tensor, Tensor, tensors.RandomStreams], Tensor]


def attack(
    examples: ExampleSet,
    model: nn.Module,
    *,
    defence: nn.Module | Guarded,
    perturb: Perturb,
    known: Literal["labels", "in_distribution"] = "labels",
    seed: int,
    batch_size: int,
    device: str,
) -> ExampleSet:
    """Perturb every image of a set.

    Args:
        examples: the clean set.
        model: the network whose passes are counted, with those of one that is differentiated in its place; it also names
            the class of an image without a label.
        defence: what is attacked, the model itself or the model behind a detector.
        perturb: the attack with its settings bound.
        known: what `perturb` takes beside the images: "labels", the classes (N,) int64; or "in_distribution", whether an
            image has a label, (N,) bool.
        seed: of the random streams, one per image.
        batch_size: images per call of `perturb`.
        device: where the network runs.

    Returns:
        The perturbed images on the 1/255 grid, rounded towards the clean ones so that the budget holds, and unquantised as
        the attack returned them. Ids, labels and order are those of `examples`. The notes give the passes through the
        network per image. Behind a detector, they also give the share of clean and of attacked images at which its score
        has no gradient.

    Raises:
        ContractError: `perturb` changes the shape, leaves [0, 1] or returns NaN.
    """
    images = torch.from_numpy(examples.images).to(device)
    labels = torch.from_numpy(examples.labels).to(device)
    truth = labels >= 0 if known == "in_distribution" else _classes(model, images, labels, batch_size)
    ids = torch.from_numpy(examples.example_ids).to(device)
    seen = defence.model if isinstance(defence, Guarded) else defence
    stand_in = seen.backward if isinstance(seen, Expected) else None
    with counted(model, *([stand_in] if isinstance(stand_in, nn.Module) else [])) as effort:
        perturbed = torch.cat(
            [
                perturb(defence, batch, told, tensors.RandomStreams(seed, "attack", rows))
                for batch, told, rows in tensors.batches(batch_size, images, truth, ids)
            ]
        )
    if perturbed.shape != images.shape:
        raise ContractError(f"the attack changed the shape: {tuple(images.shape)} to {tuple(perturbed.shape)}")
    quantised = tensors.to_grid_towards(perturbed, images)
    notes = effort.per_image(len(images))
    if isinstance(defence, Guarded):
        for name, points in (("no_score_gradient_clean", images), ("no_score_gradient", perturbed)):
            found = [flat_scores(defence, batch) for (batch,) in tensors.batches(batch_size, points)]
            notes[name] = round(float(torch.cat(found).float().mean()), 6)
    return ExampleSet(
        images=quantised.cpu().numpy(),
        labels=examples.labels,
        example_ids=examples.example_ids,
        source=examples.source,
        notes=examples.notes | notes,
        unquantised=perturbed.detach().cpu().numpy(),
    )


def _classes(model: nn.Module, images: Tensor, labels: Tensor, batch_size: int) -> Tensor:
    """Return the labels, and for an image without one the class that the network predicts."""
    if bool((labels >= 0).all()):
        return labels
    with torch.no_grad():
        predictions = torch.cat([model(batch).argmax(1) for (batch,) in tensors.batches(batch_size, images)])
    return torch.where(labels < 0, predictions, labels)


def typical(
    outputs: Outputs | None, examples: ExampleSet | None, data: tuple[str, ...], label: str | None, device: str
) -> dict[str, tuple[Tensor, Tensor]]:
    """Return {name in `data`: (mean per class, spread)} of what a detector reads of clean images.

    If `examples` are given, the images themselves are included, whether the detector reads them or not.
    """
    source = outputs if outputs is not None else examples
    if source is None:
        return {}
    labels = torch.from_numpy(source.labels).to(device)
    classes = int(labels.max()) + 1 if outputs is None else outputs.logits.shape[1]
    read = {name for name in data if outputs is not None and name not in ("images", "model", "state")}
    read |= {"images"} if examples is not None else set()
    names = tuple(sorted(read))
    columns = columns_of(outputs, examples, names, label)
    return {
        name: typical_of(name, column.to(device), labels, classes) for name, column in zip(names, columns, strict=True)
    }
