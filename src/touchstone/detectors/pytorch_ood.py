"""pytorch_ood: a detector of the library pytorch-ood that reads logits, by the name of its class."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode

from touchstone.wrapped_classes import wrapped


def pytorch_ood(logits: Tensor, *, name: str = "EnergyBased", settings: dict[str, Any] | None = None) -> Tensor:
    """Return the score of each row by a detector of pytorch-ood.

    Scores are computed in float64 and returned in the dtype of the logits (N, K).

    Args:
        logits: (N, K), before any softmax.
        name: of the class, such as EnergyBased. It reads logits and is not fitted.
        settings: of the class; null: its own.

    Returns:
        (N,); higher is more anomalous.

    References:
        Kirchheim et al. 2022, "PyTorch-OOD: a library for out-of-distribution detection", version 0.4.0.
    """
    chosen = dict(settings or {})
    detector, _ = wrapped("detectors/pytorch_ood", {"name": name, "settings": chosen})
    with _Attached():
        scores: Tensor = detector(None, **chosen).predict_logits(logits.double())
    return scores.to(logits.dtype)


class _Attached(TorchFunctionMode):
    """Ignore `detach`: pytorch-ood detaches, but attacks need gradients."""

    def __torch_function__(
        self, function: Any, types: Any, arguments: tuple[Any, ...] = (), settings: dict[str, Any] | None = None
    ) -> Any:
        if function is Tensor.detach:
            return arguments[0]
        return function(*arguments, **(settings or {}))
