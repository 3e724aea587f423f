"""measure: the distance of every image to the nearest point where the prediction changes."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from touchstone.numerics import tensors
from touchstone.records.nouns import ExampleSet, Margins

Measure = Callable[[nn.Module, Tensor, Tensor, tensors.RandomStreams], tuple[Tensor, Tensor]]


def measure(
    examples: ExampleSet,
    model: nn.Module,
    *,
    method: Measure,
    name: str,
    norm: str,
    seed: int,
    batch_size: int,
    device: str,
) -> Margins:
    """Return the distance of each image to another class than the predicted one; +inf if the method found none."""
    images = torch.from_numpy(examples.images).to(device)
    ids = torch.from_numpy(examples.example_ids).to(device)
    margins, found, predictions = [], [], []
    for batch, rows in tensors.batches(batch_size, images, ids):
        with torch.no_grad():
            predicted = model(batch).argmax(1)
        values, hits = method(model, batch, predicted, tensors.RandomStreams(seed, "attack", rows))
        margins.append(torch.where(hits, values.double(), torch.inf))
        found.append(hits)
        predictions.append(predicted)
    return Margins(
        margins=torch.cat(margins).cpu().numpy(),
        found=torch.cat(found).cpu().numpy(),
        labels=examples.labels,
        predictions=torch.cat(predictions).cpu().numpy(),
        example_ids=examples.example_ids,
        norm=norm,
        method=name,
    )
