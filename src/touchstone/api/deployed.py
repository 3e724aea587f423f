"""A defence as it is deployed: a function that classifies and may reject, as attacks on the whole of it see it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from touchstone.api.arguments import kind_of
from touchstone.api.model_guard import as_module, leaves_torch, logits_only

NOTHING, DECISION, SCORE = "nothing", "decision", "score"  # what a defence returns beside its logits
EXPECTED = "expected logits (N, K), or a pair: logits and which images are rejected, (N,) bool, or their scores (N,)"


class Answer(NamedTuple):
    """What a defence returns.

    Attributes:
        logits: (N, K).
        scores: (N,), higher is rejected; zeros if the defence rejects nothing, ones and zeros if it returns a decision.
        kind: NOTHING, DECISION or SCORE.
    """

    logits: Tensor
    scores: Tensor
    kind: str


class Answering(Protocol):
    """What attacks follow: a defence, or what stands in for it."""

    def answer(self, images: Tensor) -> Answer:
        """Return logits and scores of images (N, C, H, W)."""
        ...


class Deployed(nn.Module):
    """A defence as a module; called, it returns the logits.

    Args:
        defence: images (N, C, H, W) in [0, 1] to logits (N, K), or to a pair of logits and rejections or scores (N,).
        name: of the argument, for messages.
    """

    def __init__(self, defence: Callable[[Tensor], Any], name: str = "defence") -> None:
        super().__init__()
        self.inner, self.name = as_module(name, defence), name
        self.training = self.inner.training

    def forward(self, images: Tensor, answers: list[Answer] | None = None) -> Tensor:
        """Return the logits of images, (N, K), and append the whole answer to `answers`, if given."""
        answer = self._answer(images)
        if answers is not None:
            answers.append(answer)
        return answer.logits

    def answer(self, images: Tensor) -> Answer:
        """Return what the defence says of images; without a graph if it makes arrays of them.

        It is a call of the module, so it passes the gate's guard. No score is in half precision, as no guarded logits are.

        Raises:
            TypeError: If it returns anything but logits, or logits and rejections or scores.
            ValueError: If a score is NaN or infinite.
        """
        answers: list[Answer] = []
        logits = self(images, answers)
        _, scores, kind = answers[0]
        return Answer(logits, scores.to(torch.promote_types(scores.dtype, torch.float32), copy=True), kind)

    def _answer(self, images: Tensor) -> Answer:
        found = self._returned(images)
        pair = isinstance(found, tuple | list) and len(found) == 2
        logits, second = found if isinstance(found, tuple | list) and pair else (found, None)
        if not isinstance(logits, Tensor):
            raise TypeError(f"the {self.name} returns a {kind_of(found)}, {EXPECTED}: {logits_only(logits)}")
        if second is None:
            return Answer(logits, logits.new_zeros(len(images)), NOTHING)
        if not isinstance(second, Tensor) or second.numel() != len(images):
            shape = tuple(second.shape) if isinstance(second, Tensor) else kind_of(second)
            raise TypeError(f"the {self.name} returns {shape} beside its logits for {len(images)} images, {EXPECTED}")
        if second.dtype == torch.bool:
            return Answer(logits, second.flatten().to(logits.dtype), DECISION)
        if not second.is_floating_point():
            raise TypeError(f"the {self.name} returns {second.dtype} beside its logits, {EXPECTED}")
        scores = second.flatten()
        if unusable := int((~scores.isfinite()).sum()):
            raise ValueError(
                f"the {self.name} returns NaN or infinity as the score of {unusable} of {len(images)} images, and no"
                " threshold judges these: look at what it divides by and takes the logarithm of"
            )
        return Answer(logits, scores, SCORE)

    def _returned(self, images: Tensor) -> object:
        try:
            return self.inner(images.clone())
        except RuntimeError as error:
            if not leaves_torch(error):
                raise
        with torch.no_grad():
            return self.inner(images.detach().clone())


@dataclass(frozen=True)
class Joined:
    """The logits of one and the scores of another.

    Attributes:
        classifier: whose logits are taken.
        rejection: whose scores are taken.
    """

    classifier: Answering
    rejection: Answering

    def answer(self, images: Tensor) -> Answer:
        """Return the logits of the one and the scores of the other."""
        return Answer(self.classifier.answer(images).logits, self.rejection.answer(images).scores, SCORE)


@dataclass(frozen=True)
class Whole:
    """A defence as attacks on the whole of it see it: logits, scores and a threshold.

    Attributes:
        model: the defence.
        threshold: the score above which an image is rejected.
        spread: the unit in which attacks weigh scores.
        draws: calls per pass; attacks follow the expectation of what they return (EOT).
        followed: what attacks differentiate in place of the defence (BPDA); None for the defence itself.
    """

    model: Deployed
    threshold: float
    spread: float
    draws: int = 1
    followed: Answering | None = None

    def read(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits (N, K) and scores (N,), with a graph back to the images."""
        answers = [self._once(images) for _ in range(self.draws)]
        if self.draws == 1:
            return answers[0]
        logits = torch.stack([logits.log_softmax(1) for logits, _ in answers]).logsumexp(0)
        return logits, torch.stack([scores for _, scores in answers]).mean(0)

    def _once(self, images: Tensor) -> tuple[Tensor, Tensor]:
        if self.followed is None or not torch.is_grad_enabled():
            return self.model.answer(images)[:2]
        near, own = self.followed.answer(images), self.model.answer(images)
        logits = own.logits.detach() + (near.logits - near.logits.detach())
        if near.kind == NOTHING:  # a stand-in for the classifier only: the scores keep their own gradient
            return logits, own.scores
        return logits, own.scores.detach() + (near.scores - near.scores.detach())

    def judged(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return which images are classified correctly and which are rejected, both (N,) bool, by one fresh draw."""
        with torch.no_grad():
            logits, scores, _ = self.model.answer(images)
        return logits.argmax(1) == labels, scores > self.threshold

    def fooled(self, images: Tensor, labels: Tensor) -> Tensor:
        """Return the share of fresh draws by which images are classified wrongly and not rejected, (N,)."""
        judged = [self.judged(images, labels) for _ in range(self.draws)]
        return torch.stack([~right & ~rejected for right, rejected in judged]).float().mean(0)


def has_gradient(defence: Deployed, images: Tensor, batch_size: int) -> tuple[bool, bool]:
    """Return whether the logits, and the scores, of a defence have a gradient that is finite and not 0 at any of the images.

    It looks at `batch_size` images at a time, until one has both.
    """
    on_logits = on_scores = False
    for part in images.split(int(batch_size)):  # type: ignore[no-untyped-call]
        points = part.detach().clone().requires_grad_()
        with torch.enable_grad():
            logits, scores, kind = defence.answer(points)
            lead = logits.topk(2).values
            on_logits = on_logits or _moves((lead[:, 0] - lead[:, 1]).sum(), points)
            on_scores = on_scores or _moves(scores.sum(), points)
        if on_logits and (on_scores or kind == NOTHING):
            break
    return on_logits, on_scores


def _moves(total: Tensor, points: Tensor) -> bool:
    if not total.requires_grad:
        return False
    (slope,) = torch.autograd.grad(total, points, retain_graph=True, allow_unused=True)
    if slope is None:
        return False
    slopes = slope.flatten(1)
    return bool((slopes.isfinite().all(1) & (slopes != 0).any(1)).any())
