"""Squared gradient norms per example and parameter tensor, without a pass for each example where there is a way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn
from torch.autograd.graph import Node
from torch.func import functional_call
from torch.fx import GraphModule
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.modules.batchnorm import _BatchNorm

from touchstone.numerics.layer_tape import LayerTape
from touchstone.numerics.tensors import frozen

Loss = Callable[[Tensor], Tensor]  # logits (N, K) -> (N,), each value from its own row alone
_NUMBERS = 2**25  # in the gradients of each example that are held at one time


def parameter_names(model: nn.Module) -> list[str]:
    """Return the columns of `gradient_norms`; a shared tensor is named once."""
    return [name for name, _ in model.named_parameters()]


def gradient_norms(model: nn.Module, images: Tensor, loss: Loss, *, create_graph: bool = False) -> Tensor:
    """Return each example's squared gradient norm per parameter tensor, (N, P).

    Linear layers, 1-d and 2-d convolutions, and batch, group, layer and instance norm together cost about as much as a
    plain forward and backward pass; linear layers also within self-attention, and if called several times. Every other
    parameter is exact too: that of another kind of layer, of another layer called twice, and a shared or bare tensor.
    `vmap` takes its gradients, in about two plain passes, and holds those of many examples in memory. It takes one pass
    per example if `vmap` cannot follow the network, or with `create_graph`.

    Args:
        model: run in eval mode; its modes, flags and gradients are restored.
        images: (N, ...); no layer may change the order of the examples.
        loss: of logits (N, K), one value per row, (N,).
        create_graph: make the result differentiable in `images`.

    Returns:
        (N, P), at least 0, with the columns of `parameter_names`.

    Raises:
        TypeError: `model` is no torch module, or has no layers that can be called, as a program loaded from a file.
        ValueError: batch norm has no running statistics, which ties the examples of a batch together; or the loss is not
            one value per row.

    References:
        docs/papers/gradient_detection.md, "Gradient features".
    """
    _check(model)
    images = images if create_graph else images.detach()
    with frozen(model), torch.enable_grad(), _twice_differentiable(create_graph):
        # Our own leaves replace the parameters, so that a later backward pass writes nothing to their `grad`.
        leaves = {name: parameter.detach().requires_grad_() for name, parameter in model.named_parameters()}
        network = _Substituted(model)
        tape = LayerTape(network, len(images), create_graph)
        try:
            logits = tape.run(leaves, images)
            values = loss(logits)
            if values.shape != (len(images),):
                raise ValueError(
                    f"the loss has shape {tuple(values.shape)}, expected one value per row, ({len(images)},)"
                )
            total = values.sum()
            uses = _uses(total, leaves)
            closed = tape.closed(uses)
            # If some parameters need each example's own gradient, one pass for all of them is less work, where it fits.
            fits = not create_graph and len(images) * sum(leaf.numel() for leaf in leaves.values()) <= _NUMBERS
            norms = {} if fits and len(closed) < len(uses) else tape.norms(total, leaves, uses, closed)
        finally:
            tape.clear()
        rest = [name for name in leaves if name not in norms]
        if rest:
            norms |= _own_gradients(network, leaves, rest, images, logits.detach(), loss, create_graph)
    return torch.stack([norms[name] for name in leaves], dim=1)


def _check(model: object) -> None:
    """Refuse a function, a program from a file, and a network whose layers tie examples together."""
    modules = dict(model.named_modules()) if isinstance(model, nn.Module) else {}
    kind = "" if modules else type(model).__name__
    if any(isinstance(module, torch.jit.ScriptModule) for module in modules.values()):
        kind = "a TorchScript program"
    elif any(isinstance(module, GraphModule) and "eval" in vars(module) for module in modules.values()):
        kind = "a torch.export program"  # its own `eval` only raises an error
    if kind:
        raise TypeError(
            f"model: expected a torch.nn.Module with layers, got {kind}: build the network in Python and load its weights"
            " with load_state_dict; or run `touchstone assay` on a .pt2 file, which reads gradient norms from it"
        )
    for name, module in modules.items():
        if isinstance(module, _BatchNorm) and module.running_mean is None:
            raise ValueError(f"{name}: {type(module).__name__} without running statistics ties the examples together")


def _twice_differentiable(create_graph: bool) -> AbstractContextManager[None]:
    """Restrict attention to the kernel that has a second derivative, if needed."""
    return sdpa_kernel(SDPBackend.MATH) if create_graph else nullcontext()


class _Substituted:
    """A network that runs with other tensors in the places of its parameters.

    `functional_call` by itself loses the parameters of a layer that the network holds under two names.
    """

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        names = {id(parameter): name for name, parameter in model.named_parameters()}
        self.places = {
            f"{layer}.{kind}".removeprefix("."): names[id(parameter)]
            for layer, module in model.named_modules()
            for kind, parameter in module.named_parameters(recurse=False, remove_duplicate=False)
        }

    def __call__(self, values: dict[str, Tensor], images: Tensor) -> Tensor:
        """Return the logits, with `values` as the parameters."""
        placed = {place: values[name] for place, name in self.places.items()}
        logits: Tensor = functional_call(self.model, placed, (images,), tie_weights=False)
        return logits


def _uses(total: Tensor, leaves: dict[str, Tensor]) -> Counter[str]:
    """Return how often each leaf enters the graph of `total`.

    A layer's closed form is valid only for a single use.
    """
    names = {id(leaf): name for name, leaf in leaves.items()}
    uses: Counter[str] = Counter()
    waiting: list[Node] = [total.grad_fn] if total.grad_fn else []
    seen = set(waiting)
    while waiting:
        for node, _ in waiting.pop().next_functions:
            if node is None:
                continue
            leaf = getattr(node, "variable", None)
            if id(leaf) in names:
                uses[names[id(leaf)]] += 1
            elif node not in seen:
                seen.add(node)
                waiting.append(node)
    return uses


def _own_gradients(
    network: _Substituted,
    leaves: dict[str, Tensor],
    names: list[str],
    images: Tensor,
    logits: Tensor,
    loss: Loss,
    create_graph: bool,
) -> dict[str, Tensor]:
    """Return the norms of the named leaves, from the gradients of each example."""
    if not create_graph:
        try:
            with sdpa_kernel(SDPBackend.MATH):  # vmap loops over the other kernels of attention
                return _mapped(network, leaves, names, images, logits, loss)
        except (RuntimeError, ValueError, TypeError):
            pass  # vmap cannot follow this network, for instance a branch on its values
    return _one_by_one(network, leaves, names, images, logits, loss, create_graph)


def _mapped(
    network: _Substituted, leaves: dict[str, Tensor], names: list[str], images: Tensor, logits: Tensor, loss: Loss
) -> dict[str, Tensor]:
    """Return the norms of the named leaves, from a vectorised map over the examples."""
    constants = {name: leaf.detach() for name, leaf in leaves.items()}
    wanted = {name: constants[name] for name in names}
    outputs = logits.requires_grad_()
    (deltas,) = torch.autograd.grad(loss(outputs).sum(), outputs, materialize_grads=True)

    def norms(image: Tensor, delta: Tensor) -> dict[str, Tensor]:
        gradients = torch.func.grad(lambda own: (network(constants | own, image[None]) * delta).sum())(wanted)
        return {name: gradient.square().sum() for name, gradient in gradients.items()}

    chunk = max(1, _NUMBERS // max(1, sum(leaf.numel() for leaf in wanted.values())))
    mapped: dict[str, Tensor] = torch.vmap(norms, chunk_size=chunk)(images, deltas)
    return mapped


def _one_by_one(
    network: _Substituted,
    leaves: dict[str, Tensor],
    names: list[str],
    images: Tensor,
    logits: Tensor,
    loss: Loss,
    create_graph: bool,
) -> dict[str, Tensor]:
    """Return the norms of the named leaves, from one pass per example."""
    rows = []
    for row in range(len(images)):
        row_logits = network(leaves, images[row : row + 1])
        # The loss gets all rows, because it may hold a label for each.
        value = loss(torch.cat([logits[:row], row_logits, logits[row + 1 :]]))[row]
        gradients = torch.autograd.grad(
            value, [leaves[name] for name in names], create_graph=create_graph, materialize_grads=True
        )
        rows.append(torch.stack([gradient.square().sum() for gradient in gradients]))
    return dict(zip(names, torch.stack(rows).unbind(1), strict=True))
