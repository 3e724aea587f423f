"""score: compute one anomaly score per row from what a detector reads."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from touchstone.numerics import tensors
from touchstone.records.nouns import ContractError, Detector, ExampleSet, Outputs, Scores

APART = ("state", "model")  # the arguments of a detector that are not one value per row


def score(
    outputs: Outputs | None,
    examples: ExampleSet | None,
    detector: Detector,
    *,
    scorer: Callable[..., Tensor],
    data: tuple[str, ...],
    label: str | None,
    model: nn.Module | None,
    batch_size: int,
    device: str,
) -> Scores:
    """Score every image of one set.

    Args:
        outputs: the network's outputs on the set, if the detector reads any.
        examples: the images, if the detector reads them.
        detector: the fitted state.
        scorer: the function of detectors/ with its settings bound.
        data: the arguments that `scorer` takes, in order.
        label: the confounding label of the gradient norms that the detector reads, if any.
        model: the network, if the detector calls it.
        batch_size: rows per call.
        device: where it runs.

    Returns:
        One score per row, (N,); higher is more anomalous.

    Raises:
        ContractError: A score is NaN or infinite.
    """
    state = {name: torch.from_numpy(values).to(device) for name, values in detector.state.items()}
    columns = list(columns_of(outputs, examples, tuple(name for name in data if name not in APART), label))
    values = []
    for batch in tensors.batches(batch_size, *(column.to(device) for column in columns)):
        rows = iter(batch)
        arguments = (state if name == "state" else model if name == "model" else next(rows) for name in data)
        values.append(scorer(*arguments).detach())
    source = outputs if outputs is not None else examples
    assert source is not None
    scores = torch.cat(values).double().cpu()
    if unusable := int((~scores.isfinite()).sum()):
        raise ContractError(f"{unusable} of {len(scores)} scores are NaN or infinite")
    return Scores(scores=scores.numpy(), example_ids=source.example_ids, labels=source.labels)


def columns_of(
    outputs: Outputs | None, examples: ExampleSet | None, data: tuple[str, ...], label: str | None
) -> Iterator[Tensor]:
    """Yield the tensors that a detector names: logits, features, gradient_norms, labels or images."""
    for name in data:
        if name == "images":
            assert examples is not None
            yield torch.from_numpy(examples.images)
            continue
        assert outputs is not None
        if name == "features":
            yield torch.from_numpy(outputs.penultimate)
        elif name == "gradient_norms":
            assert label is not None
            yield torch.from_numpy(outputs.gradient_norms[label])
        else:
            yield torch.from_numpy(getattr(outputs, name))
