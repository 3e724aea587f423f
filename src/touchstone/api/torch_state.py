"""torch's global state around a public call: our code computes in torch's defaults, the caller's code in the caller's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import torch


@dataclass(frozen=True)
class State:
    """What `torch.set_default_dtype`, `torch.set_default_device` and `torch.autocast` have set.

    Attributes:
        dtype: of new tensors.
        device: of new tensors.
        autocast: {kind of device: dtype} of each autocast that is on.
    """

    dtype: torch.dtype = torch.float32
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    autocast: tuple[tuple[str, torch.dtype], ...] = ()

    @classmethod
    def now(cls) -> State:
        """Return the present state."""
        on = [kind for kind in ("cpu", "cuda") if torch.is_autocast_enabled(kind)]
        autocast = tuple((kind, torch.get_autocast_dtype(kind)) for kind in on)
        return cls(torch.get_default_dtype(), torch.get_default_device(), autocast)

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Set this state for a block, and restore what was set before."""
        before = State.now()
        if before == self:
            yield
            return
        with ExitStack() as stack:
            stack.callback(torch.set_default_dtype, before.dtype)
            torch.set_default_dtype(self.dtype)
            if before.device != self.device:
                stack.enter_context(self.device)
            wanted = dict(self.autocast)
            for kind in {*wanted, *dict(before.autocast)}:
                # Without its cache, because a cached weight would outlive a change of the weight.
                autocast = torch.autocast(kind, wanted.get(kind), enabled=kind in wanted, cache_enabled=False)
                stack.enter_context(autocast)
            yield


@contextmanager
def defaults() -> Iterator[State]:
    """Compute a block in torch's defaults, with gradients available, and yield the state of the caller.

    Inside, tensors can be followed by gradients, even if the caller is in `torch.inference_mode()`.
    """
    caller = State.now()
    with ExitStack() as stack:
        if torch.is_inference_mode_enabled():
            grad = torch.is_grad_enabled()
            stack.enter_context(torch.inference_mode(False))
            stack.enter_context(torch.set_grad_enabled(grad))
        stack.enter_context(State().entered())
        yield caller
