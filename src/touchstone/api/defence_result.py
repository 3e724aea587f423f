"""What `evaluate_defence` returns: what each attacker leaves of a defence, as words, as JSON and as Markdown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from touchstone.api.evaluation_result import as_plain, shown
from touchstone.evaluations.statistics.intervals import Interval

EVERYTHING = "everything"


@dataclass(frozen=True)
class DefenceResult:
    """What is left of a defence that may reject images, by what the attacker knew, with exact 95 % intervals.

    Attributes:
        clean_accuracy: share of clean images that are classified correctly and not rejected.
        clean_rejected: share of clean images that are rejected.
        left: by what the attacker knew, the share of attacked images that do not fool it: right, or rejected.
        rejected: by what the attacker knew, the share of attacked images that are rejected.
        attacked: the worst image found for each row, (N, C, H, W).
        failed_checks: signs that the attacks were too weak.
        threshold: the score above which images are rejected; None if the defence returns no scores.
        eps: radius of the attacks (L-inf).
    """

    clean_accuracy: Interval
    clean_rejected: Interval
    left: dict[str, Interval]
    rejected: dict[str, Interval]
    attacked: Tensor
    failed_checks: tuple[str, ...]
    threshold: float | None
    eps: float

    @property
    def robust_accuracy(self) -> Interval:
        """Share of images that do not fool the defence, if the attacker knows everything."""
        return self.left[EVERYTHING]

    @property
    def can_be_trusted(self) -> bool:
        """Whether no check says that the robust accuracy is too high; an accuracy of 0 cannot be."""
        return not self.failed_checks or self.robust_accuracy.value == 0

    def as_dict(self) -> dict[str, Any]:
        """Return all but the images as plain values, for `json.dumps`."""
        return {
            "clean_accuracy": as_plain(self.clean_accuracy),
            "clean_rejected": as_plain(self.clean_rejected),
            "robust_accuracy": as_plain(self.robust_accuracy),
            "left": {knew: as_plain(rate) for knew, rate in self.left.items()},
            "rejected": {knew: as_plain(rate) for knew, rate in self.rejected.items()},
            "threshold": self.threshold,
            "eps": self.eps,
            "norm": "linf",
            "images": len(self.attacked),
            "failed_checks": list(self.failed_checks),
            "can_be_trusted": self.can_be_trusted,
        }

    def __repr__(self) -> str:
        parts = [f"clean accuracy {shown(self.clean_accuracy)}, {self.clean_rejected.value:.3f} rejected"]
        parts += [f"left if the attacker knows {knew}: {shown(rate)}" for knew, rate in self.left.items()]
        checks = "; ".join(self.failed_checks) or "no failed checks"
        return f"DefenceResult({'; '.join(parts)}; {len(self.attacked)} images; {checks})"
