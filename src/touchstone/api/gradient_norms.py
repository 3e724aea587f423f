"""Gradient norms of a network of your own, from a notebook."""

from __future__ import annotations

from torch import Tensor, nn

from touchstone.api import gate, inputs, torch_state
from touchstone.api.arguments import check_images, kind_of
from touchstone.api.inputs import Images
from touchstone.api.model_guard import with_layers
from touchstone.numerics import gradient_norms as numerics
from touchstone.numerics.gradient_norms import Loss

BATCH = 256  # images that the model is tried on


def gradient_norms(model: nn.Module, images: Images, loss: Loss, *, create_graph: bool = False) -> Tensor:
    """Return each example's squared gradient norm per parameter tensor, (N, P).

    Layers with a closed form cost about as much as a plain forward and backward pass; every other parameter is exact too.

    Args:
        model: images to logits (N, K), run in eval mode; its modes, flags and gradients are restored.
        images: (N, C, H, W), floats in [0, 1], or inputs of another shape (N, ...); a tensor, an array, or a
            loader of batches.
        loss: of logits (N, K), one value per row, (N,).
        create_graph: make the result differentiable in `images`.

    Returns:
        (N, P), at least 0, with one column for each of `model.named_parameters()`.

    Raises:
        TypeError: If the model is no torch module with layers, if images are of another type, or if the loss is no function.
        ValueError: If there are no images, if they are out of range, if the model does not take them or returns anything but
            finite logits, if batch norm ties the examples of a batch together, or if the loss is not one value per row.

    Examples:
        >>> import torch
        >>> model = torch.nn.Linear(2, 2).eval()
        >>> norms = gradient_norms(model, torch.tensor([[0.0, 1.0], [1.0, 1.0]]), lambda logits: logits[:, 0])
        >>> norms.round().tolist()  # of the weight and of the bias
        [[1.0, 1.0], [2.0, 1.0]]
    """
    pixels = inputs.as_images("images", images, model)
    check_images("images", pixels, any_shape=True)
    if not callable(loss):
        raise TypeError(f"loss: expected a function of logits, got {kind_of(loss)}: lambda logits: logits.logsumexp(1)")
    network = with_layers("gradient_norms", model, "the gradients of parameters")

    def values(logits: Tensor) -> Tensor:
        found: object = loss(logits)
        if not isinstance(found, Tensor):
            raise TypeError(f"the loss returns a {kind_of(found)}, expected a tensor (N,)")
        return found

    with torch_state.defaults() as caller, gate.guarded("the model", network, caller, full_precision=True) as guard:
        followed = pixels.clone() if pixels.is_inference() else pixels
        gate.first_logits(guard, network, followed[:1])
        gate.check_proper("the model", gate.first_logits(guard, network, followed[:BATCH]))
        return numerics.gradient_norms(network, followed, values, create_graph=create_graph)
