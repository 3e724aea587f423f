"""The calls of layers with a closed form, and their norms."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from inspect import Signature, signature
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge, get_gradient_edge
from torch.nn import functional

from touchstone.numerics.layer_calls import LayerCalls
from touchstone.numerics.layer_norms import CLOSED_FORMS, ClosedForm

Run = Callable[[dict[str, Tensor], Tensor], Tensor]  # from parameters and images to logits
_Names = tuple[tuple[str, str], ...]  # ("weight", its leaf's name), ("bias", ...): what tells a layer from others


@dataclass(frozen=True)
class _Call:
    """One call of a layer, as recorded in the forward pass."""

    names: _Names
    function: Callable[..., Any]
    inputs: Tensor
    settings: dict[str, Any]  # all other arguments
    version: int
    edge: GradientEdge
    first: bool  # no layer before it needs a gradient


class LayerTape:
    """Runs a network and records its layers with a closed form.

    Their norms are taken when the backward pass reaches a call, and the input is released. So memory stays near that of a
    plain backward pass.
    """

    def __init__(self, network: Run, count: int, create_graph: bool) -> None:
        self.network, self.count, self.create_graph = network, count, create_graph
        self.calls: dict[int, _Call] = {}
        self.parameters: dict[_Names, dict[str, str]] = {}  # those with a closed form, from "weight" and "bias"
        self.times: Counter[_Names] = Counter()
        self.reached: defaultdict[_Names, list[tuple[Tensor, Tensor]]] = defaultdict(list)  # inputs and deltas
        self.taken: dict[str, Tensor] = {}
        self.beside: set[_Names] = set()  # layers that read other rows than images, such as one for each class

    def run(self, leaves: dict[str, Tensor], images: Tensor) -> Tensor:
        """Return the logits, with `leaves` as the parameters, and record the calls."""
        names = {id(leaf): name for name, leaf in leaves.items()}
        if self.count > 1:
            with torch.no_grad(), LayerCalls(partial(self._heard, self._look, names)):
                self.network(leaves, images[:1])
        with LayerCalls(partial(self._heard, self._record, names)):
            return self.network(leaves, images)

    def _heard(
        self,
        use: Callable[[_Names, Callable[..., Any], dict[str, Any], Tensor], None],
        leaves: dict[int, str],  # from `id`
        function: Callable[..., Any],
        arguments: tuple[Any, ...],
        settings: dict[str, Any],
        output: Tensor,
    ) -> None:
        """Use a call of a layer that has a closed form, and a leaf as its weight or bias."""
        form = CLOSED_FORMS.get(function)
        if form is None or not arguments:
            return
        known = _signature(form).bind(output, *arguments, **settings).arguments
        found = ((kind, leaves.get(id(known.get(kind)))) for kind in ("weight", "bias"))
        names = tuple((kind, name) for kind, name in found if name is not None)
        if names and not known.get("training"):  # batch norm in training mode ties the examples together
            use(names, function, {name: value for name, value in known.items() if name != "deltas"}, output)

    def _look(self, names: _Names, function: Callable[..., Any], known: dict[str, Any], output: Tensor) -> None:
        """Note a layer whose input has several rows although there is one image."""
        if len(known["inputs"]) != 1:
            self.beside.add(names)

    def _record(self, names: _Names, function: Callable[..., Any], known: dict[str, Any], output: Tensor) -> None:
        inputs: Tensor = known.pop("inputs")
        if names in self.beside or not len(inputs) == len(output) == self.count or not output.requires_grad:
            return
        # Another dimension than the first may hold the examples, as in a sequence (T, N, D) with T = N.
        free = function in (functional.linear, functional.layer_norm)
        if free and self.count > 1 and self.count in inputs.shape[1:-1]:
            return
        first, inputs = not inputs.requires_grad, inputs if self.create_graph else inputs.detach()
        number = self.times.total()
        edge = get_gradient_edge(output)
        self.calls[number] = _Call(names, function, inputs, known, inputs._version, edge, first)
        self.times[names] += 1
        output.register_hook(partial(self._take, number))  # type: ignore[no-untyped-call]

    def _take(self, number: int, deltas: Tensor) -> None:
        call = self.calls.pop(number, None)
        # An input that was overwritten since is left to _one_by_one, where autograd checks whether that matters.
        if call is None or call.inputs._version != call.version:
            return
        reached = self.reached[call.names]
        reached.append((call.inputs, deltas))
        if len(reached) == self.times[call.names]:
            inputs, deltas = reached[0] if len(reached) == 1 else _joined(reached)
            norms = CLOSED_FORMS[call.function](deltas, inputs, **call.settings)
            self.taken |= {name: norms[kind] for kind, name in self.parameters[call.names].items()}
            reached.clear()

    def closed(self, uses: Counter[str]) -> set[str]:
        """Return the parameters with a closed form; forget the calls of all other layers.

        They are those that only calls with the same parameters use: one call, or several of a linear layer.
        """
        once = {
            call.names
            for call in self.calls.values()
            if call.function is not functional.linear or "weight" not in dict(call.names)
        }
        for names, times in self.times.items():
            if times == 1 or names not in once:
                self.parameters[names] = {kind: name for kind, name in names if uses[name] == times}
        self.calls = {number: call for number, call in self.calls.items() if self.parameters.get(call.names)}
        return {name for found in self.parameters.values() for name in found.values()}

    def norms(
        self, total: Tensor, leaves: dict[str, Tensor], uses: Counter[str], closed: set[str]
    ) -> dict[str, Tensor]:
        """Return the norms of closed forms, and zeros for parameters the loss ignores."""
        # A backward pass that reaches the first layers has passed all others on the way. With differentiable images,
        # or a bare parameter before the first layer, there is no such layer.
        first_is_enough = not self.create_graph and all(name in closed for name in leaves if uses[name])
        targets = [call.edge for call in self.calls.values() if call.first or not first_is_enough]
        if targets and uses:
            torch.autograd.grad(total, targets, create_graph=self.create_graph, allow_unused=True)
        zeros = {name: total.new_zeros(self.count) for name in leaves if not uses[name]}
        return zeros | {name: norms for name, norms in self.taken.items() if name in closed}

    def clear(self) -> None:
        """Release the graph, whose hooks hold this tape, so that later passes do nothing."""
        self.calls, self.taken = {}, {}
        self.reached.clear()


@cache
def _signature(form: ClosedForm) -> Signature:
    return signature(form)


def _joined(calls: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """Return the calls of a linear layer as one call, over the positions of all, (N, T, D)."""
    inputs, deltas = (
        torch.cat([values.reshape(len(values), -1, values.shape[-1]) for values in parts], dim=1)
        for parts in zip(*calls, strict=True)
    )
    return inputs, deltas
