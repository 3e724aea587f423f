"""The supervised network of every learned detector: two linear layers on standardised inputs."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from touchstone.detectors._scales import usable_scales
from touchstone.numerics.tensors import batches, derive, seeded

FLOOR = 1e-12  # added before a logarithm, because gradient norms and probabilities reach 0


def log_scale(values: Tensor) -> Tensor:
    """Return log(values + 1e-12), for values of at least 0."""
    return (values + FLOOR).log()


def two_layer_logit(inputs: Tensor, state: dict[str, Tensor]) -> Tensor:
    """Return the network's logit of "anomalous" per row.

    Args:
        inputs: (N, D).
        state: what `fit_two_layer_net` returned.

    Returns:
        (N,), unbounded; higher is more anomalous.
    """
    state = {name: values.to(inputs) for name, values in state.items()}
    standardised = (inputs - state["mean"]) / state["std"]
    hidden = functional.relu(functional.linear(standardised, state["weight1"], state["bias1"]))
    return functional.linear(hidden, state["weight2"], state["bias2"])[:, 0]


def fit_two_layer_net(
    in_distribution: Tensor,
    anomalous: Tensor,
    seed: int,
    *,
    hidden: int,
    epochs: int,
    learning_rate: float,
    weight_decay: float,
    batch_size: int,
    validation_share: float,
    patience: int,
    logarithms: bool = False,
) -> dict[str, Tensor]:
    """Return the state with the lowest loss on held-out rows.

    Adam minimises the binary cross-entropy with equal weight for both classes. It stops if the held-out loss has not
    fallen for `patience` epochs. Inputs are standardised with the mean and standard deviation of the training rows;
    an input that never varies by more than rounding keeps its scale.

    Args:
        in_distribution: rows (N0, D).
        anomalous: rows (N1, D).
        seed: of the initial weights, the split and the order of the batches.
        hidden: units of the hidden layer.
        epochs: at most.
        learning_rate: of Adam.
        weight_decay: of Adam.
        batch_size: rows per step.
        validation_share: share of each class that is held out.
        patience: epochs without a lower held-out loss.
        logarithms: whether the inputs are logarithms, see `usable_scales`.

    Raises:
        ValueError: If a class has fewer than two rows, or if no input varies.

    References:
        docs/papers/gradient_detection.md, Detector.
    """
    order = torch.Generator().manual_seed(derive(seed, "order"))
    inputs, targets, held_out = _split((in_distribution.detach(), anomalous.detach()), validation_share, order)
    train, train_targets = inputs[~held_out], targets[~held_out]
    state = {"mean": train.mean(0), "std": usable_scales(train, train.std(0), train.dtype, least=float(logarithms))}
    weights = _initial_weights(train.shape[1], hidden, seed, like=train)
    optimizer = torch.optim.Adam(weights.values(), lr=learning_rate, weight_decay=weight_decay)
    best, best_loss, best_epoch = _detached(weights), torch.inf, 0
    for epoch in range(epochs):
        for (rows,) in batches(batch_size, torch.randperm(len(train), generator=order)):
            optimizer.zero_grad()
            with torch.enable_grad():
                loss = _balanced_loss(two_layer_logit(train[rows], state | weights), train_targets[rows], targets)
                torch.autograd.backward(loss)
            optimizer.step()
        with torch.no_grad():
            logits = two_layer_logit(inputs[held_out], state | weights)
            held_out_loss = float(_balanced_loss(logits, targets[held_out], targets))
        if held_out_loss < best_loss:
            best, best_loss, best_epoch = _detached(weights), held_out_loss, epoch
        elif epoch - best_epoch >= patience:
            break
    return state | best


def _split(classes: tuple[Tensor, Tensor], share: float, order: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Return all rows, their targets (0 in distribution, 1 anomalous), and which are held out: the same share of both."""
    sizes = [len(rows) for rows in classes]
    if min(sizes) < 2:
        raise ValueError(
            f"a learned detector needs at least 2 in-distribution and 2 anomalous rows, got {sizes[0]} and {sizes[1]}"
        )
    masks = []
    for rows in classes:
        count = min(max(1, round(share * len(rows))), len(rows) - 1)
        masks.append(torch.randperm(len(rows), generator=order) < count)
    targets = torch.cat([rows.new_full((len(rows),), float(label)) for label, rows in enumerate(classes)])
    return torch.cat(classes), targets, torch.cat(masks).to(targets.device)


def _initial_weights(width: int, hidden: int, seed: int, like: Tensor) -> dict[str, Tensor]:
    with seeded(seed, "init"):
        first, second = nn.Linear(width, hidden), nn.Linear(hidden, 1)
    named = {"weight1": first.weight, "bias1": first.bias, "weight2": second.weight, "bias2": second.bias}
    return {name: values.detach().to(like).requires_grad_() for name, values in named.items()}


def _detached(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: values.detach().clone() for name, values in weights.items()}


def _balanced_loss(logits: Tensor, targets: Tensor, all_targets: Tensor) -> Tensor:
    """Return the mean cross-entropy with each class weighted by the inverse of its share among all rows."""
    share = all_targets.mean()
    weights = torch.where(targets == 1, 0.5 / share, 0.5 / (1 - share))
    return (weights * functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")).mean()
