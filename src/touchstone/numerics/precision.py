"""How torch computes a job, as its study says: number formats, order in memory; and what is done where memory runs out."""

from __future__ import annotations

import functools
import gc
from collections.abc import Callable
from typing import Any

FLOAT32, TF32, BFLOAT16 = "float32", "tf32", "bfloat16"
PRECISIONS = (FLOAT32, TF32, BFLOAT16)
CONTIGUOUS, CHANNELS_LAST = "contiguous", "channels_last"
MEMORY_FORMATS = (CONTIGUOUS, CHANNELS_LAST)
SETTINGS = frozenset({"precision", "memory_format"})  # of a job that is not computed as usual


def set_up(settings: dict[str, Any]) -> None:
    """Let the process compute a job's tensors in the precision of its settings.

    TF32 keeps 10 bits of a product: gradient norms miss their 1e-4, and runs on a GPU and a CPU drift apart. So it is off
    unless a study asks for it.
    """
    import torch

    allowed = settings.get("precision") == TF32
    torch.backends.cudnn.allow_tf32 = allowed
    torch.backends.cuda.matmul.allow_tf32 = allowed


def laid_out(network: Any, settings: dict[str, Any]) -> Any:
    """Return the network with its weights in the order of the settings: convolutions pass it on to what they make."""
    import torch

    if settings.get("memory_format") == CHANNELS_LAST:
        network.to(memory_format=torch.channels_last)
    return network


def architecture(make: Callable[..., Any], settings: dict[str, Any]) -> Callable[..., Any]:
    """Return an architecture whose networks are laid out as the settings say."""

    @functools.wraps(make)
    def made(*arguments: Any, **more: Any) -> Any:
        return laid_out(make(*arguments, **more), settings)

    return made


def objective(loss: Callable[..., Any], settings: dict[str, Any]) -> Callable[..., Any]:
    """Return an objective that is computed in the precision of the settings, its attack too.

    In bfloat16 that is torch's autocast: convolutions and products in bfloat16, losses and weights in float32. No scaling of
    the loss, for bfloat16 reaches as far as float32.
    """
    if settings.get("precision") != BFLOAT16:
        return loss
    import torch

    @functools.wraps(loss)
    def computed(*arguments: Any, **more: Any) -> Any:
        with torch.autocast(settings["device"], dtype=torch.bfloat16):
            return loss(*arguments, **more)

    return computed


def memory_ran_out(error: Exception) -> bool:
    """Return whether an error says that there was no memory left, on a GPU or on the machine."""
    import torch

    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def free_memory() -> None:
    """Give back what a failed attempt held, on the GPU too."""
    import torch

    gc.collect()
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.empty_cache()
