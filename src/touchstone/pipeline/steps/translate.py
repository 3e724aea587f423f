"""translate: map every image of an ExampleSet through a translator."""

from __future__ import annotations

import torch
from torch import nn

from touchstone.contracts import PositiveInt
from touchstone.numerics import tensors
from touchstone.records.nouns import ExampleSet


def translate(examples: ExampleSet, translator: nn.Module, *, batch_size: PositiveInt = 256) -> ExampleSet:
    """Translate every image of a set.

    Args:
        examples: the images to translate.
        translator: pixels in [0, 1] to pixels of the same shape, on any device.
        batch_size: images per forward pass.

    Returns:
        The translated images on the 1/255 grid. Ids, labels and order are those of `examples`.

    Raises:
        ContractError: the translator changes the shape or leaves [0, 1].
    """
    device = next((parameter.device for parameter in translator.parameters()), torch.device("cpu"))
    translated = []
    with tensors.frozen(translator), torch.no_grad():
        for (images,) in tensors.batches(batch_size, torch.tensor(examples.images)):
            translated.append(tensors.to_grid(translator(images.to(device))).cpu())
    return examples.with_images(torch.cat(translated).numpy(), translated=True)
