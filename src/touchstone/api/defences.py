"""What is left of a defence of your own that may reject or purify images, by what the attacker knew."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, cast

import torch
from torch import Tensor

from touchstone.api import gate, inputs
from touchstone.api import progress as progress_line
from touchstone.api.arguments import check_images, check_whole, share
from touchstone.api.attacked_rows import LARGE_EPS, STREAM
from touchstone.api.defence_result import EVERYTHING, DefenceResult
from touchstone.api.deployed import NOTHING, SCORE, Answering, Deployed, Joined, Whole, has_gradient
from touchstone.api.imitation import imitated
from touchstone.api.inputs import Images, Labels
from touchstone.api.robust_accuracy import evaluate
from touchstone.attacks.adaptive.evasion_suite import lowest_within
from touchstone.attacks.adversary.defences import Guarded
from touchstone.attacks.adversary.evasion import Observation, follow, lower_or_raise, observe
from touchstone.attacks.adversary.evasion import rank as sureness
from touchstone.attacks.adversary.losses import keep_higher, margin_loss
from touchstone.attacks.adversary.lowest_scores import lowest_of
from touchstone.attacks.adversary.perturbations import Ball, Unrounded, resolve_step_size
from touchstone.attacks.adversary.surrogates import search_ranks
from touchstone.contracts import Model
from touchstone.evaluations.statistics import intervals
from touchstone.evaluations.statistics.thresholds import threshold_at
from touchstone.numerics.tensors import RandomStreams, batches, seeded

ANSWERS, CLASSIFIER = "only its answers", "the classifier, not the rejection"
MOST_STARTS = 5  # of the evasion; its default
UNSEEN = 0.02  # share of images that queries may find beyond gradients before a check fails


def evaluate_defence(
    defence: Callable[[Tensor], Any],
    images: Images,
    labels: Labels | None = None,
    *,
    calibration: Images | None = None,
    false_positive_rate: float = 0.05,
    eps: float = 8 / 255,
    steps: int = 20,
    restarts: int = 15,
    queries: int = 1500,
    draws: int = 1,
    backward: Callable[[Tensor], Any] | None = None,
    batch_size: int = 256,
    seed: int = 0,
    progress: bool | None = None,
) -> DefenceResult:
    """Attack a defence as a whole, and return what is left of it by what the attacker knew.

    An image counts as left if it does not fool the defence: it is classified correctly, or it is rejected. Three attackers
    try. One sees only answers, and searches with squares. One attacks the classifier and does not know of the rejection.
    One knows everything: he follows the gradients of class and score at once, through the expectation of `draws`, along
    `backward`, and along a small network that imitates the defence where it has no gradient; and he also has what the
    other two have found.

    Args:
        defence: images (N, C, H, W) in [0, 1] to logits (N, K), or to a pair: logits, and which images are rejected, (N,)
            bool, or their scores (N,), higher for images to reject. A module or a function.
        images: floats in [0, 1]; a tensor, an array, or a loader of batches (images, labels).
        labels: (N,), int64; omitted with a loader.
        calibration: clean images that set the threshold of scores, not those that are attacked.
        false_positive_rate: share of the calibration images that is rejected.
        eps: radius of the attacks, as a share of the pixel range; above 0 and below 0.5.
        steps: of each gradient attack.
        restarts: of the attack suite; the evasion has at most five.
        queries: of the searches with squares.
        draws: calls of the defence per pass of an attack, if it draws random numbers; 20 or more then.
        backward: what attacks differentiate in place of the defence: the same without its purifier, or with a
            differentiable one. It returns logits, or a pair as the defence does. If neither has a gradient of what is
            rejected, only that is imitated.
        batch_size: images per forward pass.
        seed: of all random numbers.
        progress: whether a call that takes longer than a few seconds shows its progress on stderr. None: on a terminal.

    Raises:
        TypeError: If the defence returns anything else, or images are of another type.
        ValueError: If a number is out of range, or images, labels or `backward` do not fit, or a score is NaN or infinite,
            or `calibration` is missing although the defence returns scores.

    Examples:
        >>> import torch
        >>> def defence(images):  # two classes by brightness; what is nearly gray is rejected
        ...     lead = images.flatten(1).mean(1) - 0.5
        ...     return torch.stack([-lead, lead], 1), -lead.abs()
        >>> images, labels = torch.linspace(0, 1, 100).view(100, 1, 1, 1), torch.arange(100) // 50
        >>> result = evaluate_defence(defence, images[::2], labels[::2], calibration=images[1::2], eps=0.1, queries=20)
        >>> 0.8 <= result.robust_accuracy.value <= 0.9  # within 0.1 of the boundary are a fifth of the images
        True

    References:
        Athalye et al. 2018 (EOT, BPDA); Bryniarski et al. 2021 (evasion of detectors); Tramer et al. 2020.
    """
    eps = share("eps", eps, "8 / 255")
    if not 0 < eps < LARGE_EPS:
        raise ValueError(f"eps must be above 0 and below {LARGE_EPS}, got {eps:g}: it is a share of the pixel range")
    if not 0 < false_positive_rate < 1:
        raise ValueError(f"false_positive_rate must be between 0 and 1, got {false_positive_rate:g}")
    check_whole(1, draws=draws, batch_size=batch_size, steps=steps, restarts=restarts)
    check_whole(0, queries=queries)
    deployed = Deployed(defence)
    pixels, classes = inputs.pair("images", images, labels, deployed)
    held_out = inputs.as_images("calibration", calibration, deployed)
    stand_in = None if backward is None else Deployed(backward, "backward")
    with (
        gate.entered(deployed, pixels, classes, batch_size=batch_size) as door,
        seeded(seed, "defence"),
        ExitStack() as stack,
    ):
        if stand_in is not None:
            stack.enter_context(gate.guarded("backward", stand_in, door.caller))
        first = deployed.answer(door.images[:8])
        whole, threshold = _calibrated(deployed, first.kind, held_out, false_positive_rate, draws, batch_size)
        slopes = has_gradient(deployed, door.images, batch_size)
        flat_scores = first.kind != NOTHING and not slopes[1]
        imitation = None
        if stand_in is None and (flat_scores or not slopes[0]):
            imitation = imitated(whole, door.images, eps, seed, batch_size)
        source = stand_in if stand_in is not None else imitation if not slopes[0] else None
        on_classes = evaluate(
            deployed, door.images, door.labels, eps=eps, steps=steps, restarts=restarts, queries=queries,
            draws=draws if first.kind == NOTHING else _draws_of_logits(deployed, door.images, draws),
            backward=None if source is None else _logits_of(source), batch_size=batch_size, seed=seed, progress=progress,
        )  # fmt: skip
        followed: list[Answering | None] = [None] if slopes[0] else []
        if stand_in is not None and flat_scores and not has_gradient(stand_in, door.images, batch_size)[1]:
            scores = imitated(whole, door.images, eps, seed, batch_size)
            followed.append(Joined(stand_in, scores))
        else:
            followed += [other for other in (stand_in, imitation) if other is not None]
        ids = torch.arange(len(door.images), device=door.images.device)
        parts, count = [], math.ceil(len(ids) / batch_size)
        with progress_line.counted("evasion", count, progress) as step:
            for batch in batches(batch_size, door.images, door.labels, on_classes.attacked, ids):
                parts.append(
                    _attacked(
                        whole, followed, *batch, seed=seed, eps=eps, steps=steps, restarts=restarts, queries=queries
                    )
                )
                step()
        points = {name: torch.cat([part[name] for part in parts]) for name in (ANSWERS, "gradients", EVERYTHING)}
        if first.kind != NOTHING:
            points = {ANSWERS: points[ANSWERS], CLASSIFIER: on_classes.attacked} | points
        judged = {name: _judged(whole, door.labels, found, batch_size, seed) for name, found in points.items()}
        clean = _judged(whole, door.labels, door.images, batch_size, seed)
    fooled = {name: float((~right & ~rejected).double().mean()) for name, (right, rejected) in judged.items()}
    strongest = max((EVERYTHING, *fooled), key=lambda name: fooled[name])  # draws may favour a weaker attacker's points
    points[EVERYTHING], judged[EVERYTHING] = points[strongest], judged[strongest]
    hidden = fooled[strongest] - fooled["gradients"]
    about = "" if first.kind == NOTHING else "the classifier alone: "
    checks = tuple(about + check for check in on_classes.failed_checks)
    if draws == 1 and hidden > UNSEEN:
        checks += (
            f"queries alone fool it on {hidden:.1%} of the images that gradients do not: its gradients are masked",
        )
    shown = [name for name in (ANSWERS, CLASSIFIER, EVERYTHING) if name in judged]
    return DefenceResult(
        clean_accuracy=_rate(clean[0] & ~clean[1]),
        clean_rejected=_rate(clean[1]),
        left={name: _rate(judged[name][0] | judged[name][1]) for name in shown},
        rejected={name: _rate(judged[name][1]) for name in shown},
        attacked=points[EVERYTHING],
        failed_checks=checks,
        threshold=threshold,
        eps=eps,
    )


def rejects(model: Callable[[Tensor], Any], images: Tensor) -> bool:
    """Return whether a model returns what it rejects beside its logits; what is wrong with it, `evaluate` says."""
    deployed = Deployed(model)
    try:
        with gate.entered(deployed, images[:8], batch_size=8) as door, torch.no_grad():
            return deployed.answer(door.images).kind != NOTHING
    except (TypeError, ValueError):
        return False


def _calibrated(
    deployed: Deployed, kind: str, calibration: Any, rate: float, draws: int, batch_size: int
) -> tuple[Whole, float | None]:
    """Return a defence with its threshold, and the threshold if it was set here."""
    if kind != SCORE:
        if calibration is not None:
            raise ValueError("calibration is for a defence that returns scores, and this one returns none: omit it")
        return Whole(deployed, 0.5, 1.0, draws), None
    if calibration is None:
        raise ValueError(
            "the defence returns scores, and a threshold needs clean images that are not attacked: give them as calibration"
        )
    check_images("calibration", calibration)
    if len(calibration) < 2:
        raise ValueError(
            f"calibration holds 1 image, which sets no threshold that rejects {rate:g}: give {math.ceil(1 / rate)} or more"
        )
    with torch.no_grad():
        parts = [deployed.answer(batch).scores for (batch,) in batches(batch_size, calibration)]
    scores = torch.cat(parts).double()
    threshold = threshold_at(scores.sort().values.cpu().numpy(), rate)
    return Whole(deployed, threshold, max(float(scores.std()), 1e-12), draws), threshold


def _draws_of_logits(deployed: Deployed, images: Tensor, draws: int) -> int:
    """Return how many draws the attack on the classifier takes: one if only the scores vary.

    Without draws, warn about scores that vary; `evaluate` warns about logits that do, and about draws of what never varies.
    """

    def scores(some: Tensor) -> Tensor:
        return deployed.answer(some).scores

    if draws == 1:
        gate.check_steady(scores, images)
        return 1
    return 1 if gate.varies(scores, images) and not gate.varies(deployed, images) else draws


def _attacked(
    whole: Whole,
    followed: list[Answering | None],
    images: Tensor,
    labels: Tensor,
    on_classes: Tensor,
    ids: Tensor,
    *,
    seed: int,
    eps: float,
    steps: int,
    restarts: int,
    queries: int,
) -> dict[str, Tensor]:
    """Return the points of the attackers: who sees answers, who follows gradients, and who has everything."""
    streams, ball = RandomStreams(seed, STREAM, ids), Unrounded(images, eps)
    found = {ANSWERS: images, "gradients": _best_of(whole, images, labels, [on_classes])}
    if queries:
        searched = search_ranks(whole, ball, labels, streams, images, queries=queries)
        found[ANSWERS] = _best_of(whole, images, labels, [searched])
    for other in followed:
        rows = torch.nonzero(whole.fooled(found["gradients"], labels) < 1)[:, 0]
        if len(rows):
            target = Whole(whole.model, whole.threshold, whole.spread, whole.draws, other)
            part = (labels[rows], streams.take(rows))
            starts = (
                min(restarts, MOST_STARTS) if other is None else 1
            )  # a stand-in's own gradient is the same from near starts
            near, guard = ball.take(rows), cast(Guarded, target)
            evading = lowest_within(near, guard, *part, steps=steps, restarts=starts, weights=[0.3, 1.0], queries=0)
            candidates = [found["gradients"][rows], evading]
            if whole.draws > 1:
                candidates.append(_surest(target, near, *part, steps=steps))
            better = _best_of(whole, near.images, labels[rows], candidates)
            found["gradients"] = found["gradients"].index_copy(0, rows, better)
    found[EVERYTHING] = _best_of(whole, images, labels, [found["gradients"], found[ANSWERS]])
    return found


def _best_of(whole: Whole, images: Tensor, labels: Tensor, candidates: list[Tensor]) -> Tensor:
    """Return each image or its best candidate, (N, C, H, W).

    A defence that draws is fooled by chance where its expectation is wrong by a hair. Of such points, the one that fools
    the most further draws is the best.
    """
    if whole.draws == 1:
        return lowest_of(whole, images, labels, candidates)
    best, most = images, whole.fooled(images, labels)
    for points in candidates:
        best, most = keep_higher(best, most, points, whole.fooled(points, labels))
    return best


def _surest(target: Whole, ball: Ball, labels: Tensor, generator: RandomStreams, *, steps: int) -> Tensor:
    """Return the points that get past the expectation of a defence and are the surest of a wrong class, (N, C, H, W).

    The evasion suite keeps the lowest score, even where the class is wrong by a hair.
    """

    def observed(points: Tensor) -> Observation:
        return observe(target, points, labels, margin_loss)

    def raised(observation: Observation) -> Tensor:
        return lower_or_raise(observation, observation.wrong & observation.flagged)

    sizes = [2 * resolve_step_size(None, ball.eps, steps) * (1 - step / steps) for step in range(steps)]
    return follow(observed, sureness, ball, generator, [raised], sizes=sizes, restarts=1)


def _logits_of(answering: Answering) -> Model:
    return lambda images: answering.answer(images).logits


def _judged(whole: Whole, labels: Tensor, images: Tensor, batch_size: int, seed: int) -> tuple[Tensor, Tensor]:
    """Return which images are right and which are rejected, both (N,) bool; all sets of images meet the same draws."""
    with seeded(seed, "judged"):
        parts = [whole.judged(*batch) for batch in batches(batch_size, images, labels)]
    right, rejected = (torch.cat([part[place] for part in parts]) for place in (0, 1))
    return right, rejected


def _rate(hits: Tensor) -> intervals.Interval:
    return intervals.binomial(int(hits.sum()), len(hits))
