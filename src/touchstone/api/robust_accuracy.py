"""The accuracy of a model of your own under attack, in one call from a notebook.

`touchstone assay` answers the same question with a report, with adaptive attacks on the detectors, and with a file behind
every number.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from touchstone.api import evaluation_evidence, foreign_attacks, gate, inputs
from touchstone.api import progress as progress_line
from touchstone.api.arguments import check_whole, share
from touchstone.api.attacked_rows import CHECKED, LARGE_EPS, STREAM, Effort, attack_rows
from touchstone.api.evaluation_checks import failed
from touchstone.api.evaluation_result import EvaluationResult
from touchstone.api.inputs import Images, Labels
from touchstone.attacks.adversary.expectation import Expected
from touchstone.attacks.adversary.losses import margin_loss
from touchstone.attacks.pgd import pgd
from touchstone.contracts import Attack, Model
from touchstone.evaluations.statistics import intervals
from touchstone.evaluations.statistics.intervals import Interval
from touchstone.numerics.tensors import RandomStreams, batches

ATTACKS = 5  # that `evaluate` always runs


def evaluate(
    model: Model,
    images: Images,
    labels: Labels | None = None,
    *,
    eps: float = 8 / 255,
    steps: int = 20,
    restarts: int = 15,
    queries: int = 1500,
    attacks: Sequence[Attack | str] = (),
    draws: int = 1,
    backward: Model | None = None,
    batch_size: int = 256,
    seed: int = 0,
    progress: bool | None = None,
    evidence: Path | str | None = None,
) -> EvaluationResult:
    """Return a model's clean accuracy and its accuracy under the worst of several L-inf attacks.

    The attacks are those of `attack_suite`, two controls that check them (one FGSM step and random signs), and `attacks`.
    The suite runs Auto-PGD on the cross-entropy, then on margins from up to `restarts` different starts and towards the
    likeliest classes, then Square. With the defaults the suite is the one that was raced against AutoAttack. An image
    counts as robust if it is classified correctly when clean and under all attacks.

    Args:
        model: images to logits (N, K), a module, a function or a program (`torch.export.load(file).module()`), with its
            normalisation inside.
        images: (N, C, H, W), floats in [0, 1]; a tensor, an array, or a loader of batches (images, labels).
        labels: (N,), int64, a tensor or an array; omitted with a loader.
        eps: radius of the attacks, as a share of the pixel range; above 0 and below 0.5.
        steps: of Auto-PGD on the cross-entropy.
        restarts: of Auto-PGD on margins; images far from the boundary get three.
        queries: of Square, for images that resist the rest; a tenth of them where gradients come closer.
        attacks: further attacks. A name, such as "spsa", is one that `touchstone list attacks` prints, within `eps`
            and otherwise with its defaults. A function is called as attack(model, images, labels, generator). It has to
            stay within `eps`, and returns images as a tensor or an array.
        draws: calls of the model per forward pass of an attack, for a model that draws random numbers: attacks follow the
            expectation of its probabilities. Both accuracies are then those of one fresh draw per image, and the checks
            allow for the noise of the draws.
        backward: the model that attacks differentiate in place of `model`, for a purifier without a useful gradient: the
            same defence with a differentiable stand-in for the purifier, such as the bare network.
        batch_size: images per forward pass; it changes no result if `draws` is 1.
        seed: of all random numbers.
        progress: whether a call that takes longer than a few seconds shows its progress on stderr. None: on a terminal.
        evidence: a file to write. Others check the result with `touchstone verify FILE --model MODEL --data IMAGES`.

    Raises:
        TypeError: If images or labels are of another type, if the model returns no tensor, or if an attack is no function or
            returns no images.
        ValueError: If a number is out of range, or too large for others to check `evidence`, if there are no images, if
            images, labels or `backward` do not fit the model, if it returns anything but finite logits with a gradient, or
            if one of `attacks` fails, or leaves the budget or the pixel range.

    Examples:
        >>> import torch
        >>> def model(images):  # two classes by brightness
        ...     lead = images.flatten(1).mean(1) - 0.5
        ...     return torch.stack([-lead, lead], 1)
        >>> images, labels = torch.linspace(0, 1, 100).view(100, 1, 1, 1), torch.arange(100) // 50
        >>> result = evaluate(model, images, labels, eps=0.1, queries=20)
        >>> result.clean_accuracy.value, result.robust_accuracy.value  # within 0.1 of the boundary are a fifth
        (1.0, 0.8)
    """
    eps = share("eps", eps, "8 / 255")
    if not 0 < eps < LARGE_EPS:
        raise ValueError(f"eps must be above 0 and below {LARGE_EPS}, got {eps:g}: it is a share of the pixel range")
    further = foreign_attacks.checked(attacks, eps)
    check_whole(1, draws=draws, batch_size=batch_size)
    check_whole(0, steps=steps, restarts=restarts, queries=queries)
    draws = int(draws)  # a number of numpy
    effort = Effort(steps, restarts, queries)
    if evidence is not None and draws > 1:
        raise ValueError(
            "a random model gives others other predictions, so there is no evidence to write: omit evidence"
        )
    record = evaluation_evidence.Record(*effort, seed, len(further), backward is not None)
    if evidence is not None:
        evaluation_evidence.check_repeatable(record)
    pixels, classes = inputs.pair("images", images, labels, model)
    with gate.entered(model, pixels, classes, batch_size=batch_size) as door, ExitStack() as stack:
        stand_in = None if backward is None else stack.enter_context(gate.stand_in(door, backward))
        gate.check_followed(door.model if stand_in is None else stand_in, door.images)
        if further and (remark := gate.saturated(door.logits)):
            gate.warn(remark)
        unsteady: tuple[str, ...] = ()
        if draws == 1:
            unsteady = gate.check_steady(door.model, door.images)
        else:
            gate.check_random(door.model, door.images)
        seen = door.model if draws == 1 and stand_in is None else Expected(door.model, draws, stand_in)
        if evidence is not None:
            evaluation_evidence.check_different(door.images.cpu().numpy())
        named = {
            f"attacks[{number}]": partial(foreign_attacks.attacked, f"attacks[{number}]", attack, caller=door.caller)
            for number, attack in enumerate(further)
        }
        count = (ATTACKS + len(further)) * math.ceil(len(door.images) / batch_size)
        counting = progress_line.counted("evaluate", count, progress)
        with torch.no_grad(), _seeded(seed, draws), counting as step:
            ids = torch.arange(len(door.images), device=door.images.device)
            hits: dict[str, list[Tensor]] = {}
            worst = []
            for part, part_labels, rows in batches(batch_size, door.images, door.labels, ids):
                streams = RandomStreams(seed, STREAM, rows)
                correct, chosen = attack_rows(
                    *(seen, part, part_labels, streams),
                    eps=eps, effort=effort, further=named, step=step, steady=draws == 1,
                )  # fmt: skip
                if draws > 1:
                    chosen = _pushed(seen, part, part_labels, streams, eps, steps, chosen)
                    # What was chosen on some draws is judged on another one.
                    correct |= {
                        "clean": door.model(part).argmax(1) == part_labels,
                        "robust": door.model(chosen).argmax(1) == part_labels,
                    }
                    correct["large_eps"] &= correct["robust"]
                    correct["loss_rises"] |= ~correct["robust"]
                worst.append(chosen)
                for name, correct_rows in correct.items():
                    hits.setdefault(name, []).append(correct_rows)
        rows_hit = {name: torch.cat(parts) for name, parts in hits.items()}
        weak = failed(
            {name: float(values.double().mean()) for name, values in rows_hit.items()},
            noise=0.0 if draws == 1 else 3 * math.sqrt(0.5 / len(door.images)),
        )
        result = EvaluationResult(
            clean_accuracy=_rate(rows_hit["clean"]),
            robust_accuracy=_rate(rows_hit["robust"]),
            attacked=torch.cat(worst),
            failed_checks=(*unsteady, *weak),
            eps=eps,
        )
        if evidence is not None:
            evaluation_evidence.write(
                Path(evidence),
                door.model,
                door.images,
                door.labels,
                result.attacked,
                eps=eps,
                rows={name: rows_hit[name].cpu().numpy() for name in CHECKED},
                attack=record,
                accuracies={"clean": result.clean_accuracy, "robust": result.robust_accuracy},
                failed_checks=weak,
                batch_size=batch_size,
            )
    return result


def _pushed(
    model: Model, images: Tensor, labels: Tensor, streams: RandomStreams, eps: float, steps: int, chosen: Tensor
) -> Tensor:
    """Return each row's image with the larger expected margin loss: the chosen one, or that of PGD with all its steps.

    The suite stops at an image that the expectation misclassifies. Single draws may still be right there.
    """
    further = pgd(model, images, labels, streams, eps=eps, steps=2 * steps)
    losses = [margin_loss(model(changed), labels) for changed in (chosen, further)]
    return torch.where((losses[1] > losses[0])[:, None, None, None], further, chosen)


@contextmanager
def _seeded(seed: int, draws: int) -> Iterator[None]:
    """Seed torch's global generators for a model that draws from them, and restore them afterwards."""
    if draws == 1:
        yield
        return
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        yield


def _rate(hits: Tensor) -> Interval:
    return intervals.binomial(int(hits.sum()), len(hits))
