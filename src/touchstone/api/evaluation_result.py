"""What `evaluate` returns, as words, as JSON and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from touchstone.evaluations.statistics.intervals import Interval
from touchstone.evaluations.statistics.wording import bracketed, more_digits, written


@dataclass(frozen=True)
class EvaluationResult:
    """Accuracies of a model with exact 95 % intervals, the attacked images, and the checks that failed.

    Attributes:
        clean_accuracy: share of images that are classified correctly; its `value`, `low` and `high`.
        robust_accuracy: share that are also classified correctly under every attack.
        attacked: the worst image found for each row, (N, C, H, W).
        failed_checks: signs that the attacks were too weak, most often because the model hides its gradients. If there
            are any, do not trust a robust accuracy above 0. If there are none, it is still an upper bound: a better
            attack can only lower it.
        eps: radius of the attacks (L-inf).
    """

    clean_accuracy: Interval
    robust_accuracy: Interval
    attacked: Tensor
    failed_checks: tuple[str, ...]
    eps: float

    @property
    def can_be_trusted(self) -> bool:
        """Whether no check says that the robust accuracy is too high; an accuracy of 0 cannot be."""
        return not self.failed_checks or self.robust_accuracy.value == 0

    def as_dict(self) -> dict[str, Any]:
        """Return all but the images as plain values, for `json.dumps`.

        >>> import json, torch
        >>> from touchstone.evaluations.statistics.intervals import binomial
        >>> result = EvaluationResult(binomial(9, 10), binomial(5, 10), torch.zeros(10, 1, 8, 8), (), 8 / 255)
        >>> json.loads(json.dumps(result.as_dict()))["robust_accuracy"]["value"]
        0.5
        """
        return {
            "clean_accuracy": as_plain(self.clean_accuracy),
            "robust_accuracy": as_plain(self.robust_accuracy),
            "eps": self.eps,
            "norm": "linf",
            "images": len(self.attacked),
            "failed_checks": list(self.failed_checks),
            "can_be_trusted": self.can_be_trusted,
        }

    def as_markdown(self) -> str:
        """Return a table in Markdown, for a pull request or a model card."""
        rows = [("clean accuracy", self.clean_accuracy), ("robust accuracy", self.robust_accuracy)]
        lines = [
            f"| {name} | {written(rate.value, '')} | {bracketed(rate.low, rate.high, '')} |" for name, rate in rows
        ]
        return "\n".join(
            [
                f"| L-inf eps {self.eps:.4g}, {len(self.attacked)} images | value | 95 % interval |",
                "| --- | --: | --: |",
                *lines,
                "",
                *([f"Do not trust it: {'; '.join(self.failed_checks)}."] if not self.can_be_trusted else []),
            ]
        ).rstrip() + "\n"  # fmt: skip

    def __repr__(self) -> str:
        accuracies = f"clean accuracy {shown(self.clean_accuracy)}, robust accuracy {shown(self.robust_accuracy)}"
        checks = "; ".join(self.failed_checks) or "no failed checks"
        if self.failed_checks:  # an accuracy of 0 is exact, however weak the gradients: no attack can lower it
            checks = f"{'failed checks' if self.can_be_trusted else 'do not trust it'}: {checks}"
        return f"EvaluationResult({accuracies}, {len(self.attacked)} images, {checks})"


def as_plain(rate: Interval) -> dict[str, float | None]:
    """Return a value and the ends of its interval as JSON takes them."""
    return {"value": rate.value, "low": rate.low, "high": rate.high}


def shown(rate: Interval) -> str:
    """Return a share with its interval; one that is not 0 or 1 is not rounded to it."""
    more = more_digits([rate.value], [0, 1], "")
    return f"{written(rate.value, '', more)} {bracketed(rate.low, rate.high, '', more)}"


def shortfall(robust_accuracy: float, failed_checks: Sequence[str], at_least: float) -> str:
    """Return why a robust accuracy is less than asked, or cannot be known; "" if it is enough.

    >>> shortfall(0.35, (), 0.4)
    'robust accuracy 0.350 is below 0.4'
    """
    if robust_accuracy < at_least:
        more = more_digits([robust_accuracy], [at_least], "")
        return f"robust accuracy {written(robust_accuracy, '', more)} is below {at_least:g}"
    if failed_checks:
        return f"the attacks were too weak to say whether robust accuracy is {at_least:g}: {'; '.join(failed_checks)}"
    return ""
