"""adv-lib's attacks, importable without visdom, which has no wheel and draws pictures that no race shows."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from torch import Tensor, nn

sys.modules.setdefault("visdom", ModuleType("visdom"))
from adv_lib.attacks import carlini_wagner_linf, df, fab, fmn, pdpgd, pgd_linf, tr  # noqa: E402
from adv_lib.attacks.auto_pgd import minimal_apgd  # noqa: E402

__all__ = ["carlini_wagner", "df", "fab", "fmn", "minimal_apgd", "pdpgd", "pgd_linf", "trust_region"]


def carlini_wagner(model: nn.Module, images: Tensor, labels: Tensor, *, norm: float, **settings: Any) -> Tensor:
    """Return the points of adv-lib's L-inf attack of Carlini & Wagner; ValueError for another norm."""
    if norm != float("inf"):
        raise ValueError(f"norm {norm}, expected inf")
    points: Tensor = carlini_wagner_linf(model, images, labels, **settings)
    return points


def trust_region(model: nn.Module, images: Tensor, labels: Tensor, *, norm: float, **settings: Any) -> Tensor:
    """Return the points of adv-lib's trust-region attack, which detaches its images in place: they must be a copy."""
    points: Tensor = tr(model, images.clone(), labels, p=norm, **settings)
    return points
