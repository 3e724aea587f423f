"""The calls of torch's functions in a forward pass, those within attention included."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

Listener = Callable[[Callable[..., Any], tuple[Any, ...], dict[str, Any], Any], None]


class LayerCalls(TorchFunctionMode):
    """Tell a listener the function, arguments, settings and output of each call, for a block.

    Attention calls its linear layers where no mode hears them. So self-attention is taken apart: its linear layers run
    by themselves, with the examples first, and torch's attention runs between them with the identity in their place.
    """

    def __init__(self, listener: Listener) -> None:
        super().__init__()
        self.listener = listener

    def __torch_function__(
        self, function: Any, types: Any, arguments: tuple[Any, ...] = (), settings: dict[str, Any] | None = None
    ) -> Any:
        settings = settings or {}
        if function is functional.multi_head_attention_forward:
            return self._attention(*arguments, **settings)
        output = function(*arguments, **settings)
        self.listener(function, arguments, settings, output)
        return output

    def _attention(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        width: int,
        heads: int,
        in_weight: Tensor | None,
        in_bias: Tensor | None,
        bias_k: Tensor | None,
        bias_v: Tensor | None,
        add_zero_attn: bool,
        dropout: float,
        out_weight: Tensor,
        out_bias: Tensor | None,
        **settings: Any,
    ) -> tuple[Tensor, Tensor | None]:
        attend: Any = functional.multi_head_attention_forward
        between = (bias_k, bias_v, add_zero_attn, dropout)
        if in_weight is None or not (query is key is value and query.dim() == 3):
            projections = (in_weight, in_bias, *between, out_weight, out_bias)
            untouched: tuple[Tensor, Tensor | None] = attend(query, key, value, width, heads, *projections, **settings)
            return untouched
        inputs = self._linear(query, in_weight, in_bias).chunk(3, dim=-1)
        same = torch.eye(width, dtype=query.dtype, device=query.device)
        settings |= {"use_separate_proj_weight": True}
        settings |= dict.fromkeys(("q_proj_weight", "k_proj_weight", "v_proj_weight"), same)
        attended, weights = attend(*inputs, width, heads, None, None, *between, same, None, **settings)
        return self._linear(attended, out_weight, out_bias), weights

    def _linear(self, positions: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """Run a linear layer on positions (T, N, D), as (N, T, D)."""
        output: Tensor = self.__torch_function__(functional.linear, (), (positions.transpose(0, 1), weight, bias))
        return output.transpose(0, 1)
