"""Number format and memory order of a job; detection of exhausted memory."""

from __future__ import annotations

import functools
import gc
import math
from collections.abc import Callable
from typing import Any

FLOAT32, TF32, BFLOAT16 = "float32", "tf32", "bfloat16"
PRECISIONS = (FLOAT32, TF32, BFLOAT16)
CONTIGUOUS, CHANNELS_LAST = "contiguous", "channels_last"
MEMORY_FORMATS = (CONTIGUOUS, CHANNELS_LAST)
EPSILON = 2.0**-23  # the relative step of float32
STEPS = 64  # that a number of a network moves by if it is computed in another order, such as in a batch of another size


def float32_rounding(*values: Any, steps: float = STEPS) -> float:
    """Return how far float32 rounding may move a number that is computed from these values.

    It grows with the largest of them and has no smallest value, so it fits numbers of any scale.

    Args:
        values: Tensors or arrays of the magnitudes that enter the computation, and of its result.
        steps: Of float32, at the largest magnitude.
    """
    largest = max((float(abs(each).max()) for each in values if math.prod(each.shape)), default=0.0)
    return steps * EPSILON * largest


def set_up(settings: dict[str, Any]) -> None:
    """Set the precision in which this process computes a job's tensors.

    TF32 keeps 10 bits of a product: gradient norms miss their tolerance of 1e-4, and runs on a GPU and a CPU drift apart.
    So it is off unless a study sets it.
    """
    import torch

    allowed = settings.get("precision") == TF32
    torch.backends.cudnn.allow_tf32 = allowed
    torch.backends.cuda.matmul.allow_tf32 = allowed


def adapted(network: Any, settings: dict[str, Any]) -> Any:
    """Return the network as the settings say: the memory order of its weights, and float32 outputs.

    Convolutions pass that order on to their outputs. In bfloat16 a loss that autocast does not know, such as a sum of
    log-probabilities, would be rounded to bfloat16, and no attack could compare it with one in float32.
    """
    import torch

    if settings.get("memory_format") == CHANNELS_LAST:
        network.to(memory_format=torch.channels_last)
    if settings.get("precision") == BFLOAT16:
        network.register_forward_hook(_in_float32)
    return network


def _in_float32(network: Any, arguments: Any, outputs: Any) -> Any:
    return outputs.float()


def architecture(make: Callable[..., Any], settings: dict[str, Any]) -> Callable[..., Any]:
    """Return an architecture whose networks are `adapted` to the settings."""

    @functools.wraps(make)
    def made(*arguments: Any, **more: Any) -> Any:
        return adapted(make(*arguments, **more), settings)

    return made


def objective(loss: Callable[..., Any], settings: dict[str, Any]) -> Callable[..., Any]:
    """Return an objective that computes in the precision of the settings.

    Its attack does too. bfloat16 is torch's autocast: convolutions and products in bfloat16, losses and weights in float32.
    The loss is not scaled, because bfloat16 has the range of float32.
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
    """Return whether an error means that the GPU or the machine ran out of memory."""
    import torch

    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def free_memory() -> None:
    """Release what a failed attempt allocated, on the GPU too."""
    import torch

    gc.collect()
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.empty_cache()
