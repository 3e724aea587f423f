"""score: one anomaly score per row, from what a detector asked to see."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from touchstone.numerics import tensors
from touchstone.records.nouns import Detector, ExampleSet, Outputs, Scores

APART = ("state", "model")  # of what a detector takes, all that is not one value per row
ALONE = 4  # rows that are scored once more, each by itself


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
    """Return the scores of one ExampleSet: higher is more anomalous.

    scorer: the detector's component, its settings bound; data: what it takes, in order; label: which confounding
    label its gradient norms are of.

    Raises:
        ValueError: A row's score depends on the other rows of its batch, so a threshold means nothing.
    """
    state = {name: torch.from_numpy(values).to(device) for name, values in detector.state.items()}
    columns = list(columns_of(outputs, examples, tuple(name for name in data if name not in APART), label))

    def scores_of(*batch: Tensor) -> Tensor:
        rows = iter(batch)
        arguments = (state if name == "state" else model if name == "model" else next(rows) for name in data)
        return scorer(*arguments).detach()

    values = []
    for batch in tensors.batches(batch_size, *(column.to(device) for column in columns)):
        values.append(scores_of(*batch))
        if len(values) == 1 and len(values[0]) > 1:
            alone = [
                scores_of(*(column[row : row + 1] for column in batch)) for row in range(min(ALONE, len(values[0])))
            ]
            _check_independence(values[0], torch.cat(alone))
    source = outputs if outputs is not None else examples
    assert source is not None
    return Scores(scores=torch.cat(values).double().cpu().numpy(), example_ids=source.example_ids, labels=source.labels)


def _check_independence(together: Tensor, alone: Tensor) -> None:
    """Refuse a detector whose first scores differ by more than 1 % of the batch's spread if rows come one by one."""
    first, scale = together[: len(alone)], torch.maximum(together.std(correction=0), 1e-4 * together.abs().max())
    if first.isfinite().all() and not (first - alone).abs().mean() <= 0.01 * scale:
        raise ValueError(
            f"the detector scores an image differently if other images come with it: {first.tolist()} together, "
            f"{alone.tolist()} alone; let each score depend on its own image alone, and on the detector's state"
        )


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
            yield torch.from_numpy(outputs.features["penultimate"])
        elif name == "gradient_norms":
            assert label is not None
            yield torch.from_numpy(outputs.gradient_norms[label])
        else:
            yield torch.from_numpy(getattr(outputs, name))
