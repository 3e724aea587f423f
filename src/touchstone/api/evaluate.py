"""For a model of your own in a notebook: its accuracy under attack, and how well detectors tell images apart, in one call.

A study (`touchstone assay`) does the same with a report, adaptive attacks on the detectors, and a chain of files behind it.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from touchstone import registry
from touchstone.adversary.losses import cross_entropy
from touchstone.adversary.perturbations import check_inputs
from touchstone.api import calls
from touchstone.attacks.apgd import apgd
from touchstone.attacks.fgsm import fgsm
from touchstone.attacks.pgd import pgd
from touchstone.attacks.random_sign import random_sign
from touchstone.attacks.square import square
from touchstone.attacks.worst_of import worst_of
from touchstone.contracts import Attack, Model
from touchstone.messages import nearest
from touchstone.networks.readouts import Confounding, read_out
from touchstone.numerics.tensors import Draws, batches, frozen
from touchstone.statistics import intervals
from touchstone.statistics.intervals import Interval
from touchstone.statistics.sanity_checks import CHECKS

ATTACKS = 5  # that `evaluate` runs by itself
LARGE_EPS = 0.5  # any image reaches mid-grey, so nothing can be left
LABELS: Confounding = {  # confounding labels by the names that params.yaml gives them
    "softmax_all": {"variant": "softmax", "ones": None, "draws": None},
    "sigmoid_all": {"variant": "sigmoid", "ones": None, "draws": None},
    "softmax_two": {"variant": "softmax", "ones": 2, "draws": 2},
    "sigmoid_none": {"variant": "sigmoid", "ones": 0, "draws": None},
}


@dataclass(frozen=True)
class Evaluated:
    """What is left of a model: accuracies with exact 95 % intervals, the images that were found, what failed.

    failed_checks: in words, what the attacks did that attacks must not do. With any, the robust accuracy is not to be
    trusted: most often gradients are hidden. Without, it is still an upper bound: a better attack can only lower it.
    """

    clean_accuracy: Interval
    robust_accuracy: Interval
    attacked: Tensor  # (N, C, H, W), the worst found for each image
    failed_checks: tuple[str, ...]

    def __repr__(self) -> str:
        accuracies = f"clean accuracy {_shown(self.clean_accuracy)}, robust accuracy {_shown(self.robust_accuracy)}"
        checks = f"do not trust it: {'; '.join(self.failed_checks)}" if self.failed_checks else "no failed checks"
        return f"Evaluated({accuracies}, {len(self.attacked)} images, {checks})"


def evaluate(
    model: Model,
    images: Tensor,
    labels: Tensor,
    *,
    eps: float = 8 / 255,
    steps: int = 40,
    queries: int = 200,
    attacks: Sequence[Attack] = (),
    batch_size: int = 256,
    seed: int = 0,
    progress: bool | None = None,
) -> Evaluated:
    """Return the clean accuracy of a model, and what is left within L-inf `eps` under the worst of several attacks.

    images (N, C, H, W) in [0, 1], labels (N,) int64; model: images to logits (N, K), its normalisation inside. The attacks
    are APGD on the cross-entropy, APGD on the DLR loss (on two classes with another start), Square, and `attacks`, each
    of which must stay within `eps` by itself. An image counts as robust if it is right when clean and under all of them.
    The result holds clean_accuracy and robust_accuracy (value, low, high), attacked, the worst image found for each, and
    failed_checks: with any of these the attacks were too weak, and the robust accuracy is not to be trusted.
    progress: whether to say on stderr how far it is once it takes longer than a few seconds; None: on a terminal.
    TypeError for arrays. ValueError for eps outside (0, 0.5), for no images, and for images or labels that are none of
    the model's.
    """
    calls.check_tensors(images=images, labels=labels)
    if not 0 < eps < LARGE_EPS:
        raise ValueError(f"eps must be above 0 and below {LARGE_EPS}, got {eps:g}: it is a share of the pixel range")
    if len(images) == 0:
        raise ValueError("no images, so nothing can be measured")
    found: dict[str, list[Tensor]] = {}
    worst = []
    ids = torch.arange(len(images), device=images.device)
    calls.check_steady(model, images)
    count = (ATTACKS + len(attacks)) * math.ceil(len(images) / batch_size)
    with frozen(model), torch.no_grad(), calls.counted("evaluate", count, progress) as step:
        for part, own_labels, rows in batches(batch_size, images, labels, ids):
            draws = Draws(seed, "attack", rows)
            right, chosen = _attacked(model, part, own_labels, draws, eps, steps, queries, attacks, step)
            worst.append(chosen)
            for name, rows_right in right.items():
                found.setdefault(name, []).append(rows_right)
    hits = {name: torch.cat(parts) for name, parts in found.items()}
    return Evaluated(
        clean_accuracy=_rate(hits["clean"]),
        robust_accuracy=_rate(hits["robust"]),
        attacked=torch.cat(worst),
        failed_checks=_failed({name: float(values.double().mean()) for name, values in hits.items()}),
    )


def _attacked(
    model: Model,
    images: Tensor,
    labels: Tensor,
    draws: Draws,
    eps: float,
    steps: int,
    queries: int,
    attacks: Sequence[Attack],
    step: Callable[[], None],
) -> tuple[dict[str, Tensor], Tensor]:
    """Return which rows are right, clean and under each attack, and the worst image found per row.

    step: called after each of the ATTACKS and of `attacks`.
    """
    second: dict[str, Any] = {"loss": "dlr"} if check_inputs(model, images, labels) > 2 else {"restarts": 2}
    strong: list[Attack] = [partial(apgd, eps=eps, steps=steps), partial(apgd, eps=eps, steps=steps, **second)]
    suite: dict[str, Attack] = {
        "white_box": partial(worst_of, attacks=strong),
        "black_box": partial(square, eps=eps, queries=queries),
        "single_step": partial(fgsm, eps=eps),
        "noise": partial(random_sign, eps=eps),
        "large_eps": partial(pgd, eps=LARGE_EPS, steps=steps),
    } | {f"further_{number}": attack for number, attack in enumerate(attacks)}
    rows = torch.arange(len(images), device=images.device)
    made = {}
    for name, attack in suite.items():
        made[name] = attack(model, images, labels, draws.take(rows))
        step()
    right = {name: model(changed).argmax(1) == labels for name, changed in ({"clean": images} | made).items()}
    right["loss_rises"] = cross_entropy(model(made["white_box"]), labels) > cross_entropy(model(images), labels)
    chosen, left = made["white_box"].clone(), right["white_box"] & right["clean"]
    for name in ("black_box", *(name for name in made if name.startswith("further_"))):
        fooled = left & ~right[name]
        chosen[fooled], left = made[name][fooled], left & ~fooled
    return right | {"robust": left}, chosen


def _shown(rate: Interval) -> str:
    return f"{rate.value:.3f} [{rate.low:.3f}, {rate.high:.3f}]"


def _rate(hits: Tensor) -> Interval:
    return intervals.binomial(int(hits.sum()), len(hits))


def _failed(shares: dict[str, float]) -> tuple[str, ...]:
    values = {
        "left_at_large_eps": shares["large_eps"],
        "worse_than_single_step": shares["white_box"] - shares["single_step"],
        "worse_than_noise": shares["white_box"] - shares["noise"],
        "worse_than_black_box": shares["white_box"] - shares["black_box"],
        "loss_rises": shares["loss_rises"],
    }
    return tuple(
        f"{CHECKS[name].words} {100 * value:.1f} %, asked {CHECKS[name].asked}"
        for name, value in values.items()
        if not CHECKS[name].passed(value)
    )


def evaluate_scores(
    id_scores: Tensor, ood_scores: Tensor, *, resamples: int = 1000, seed: int = 0
) -> dict[str, Interval]:
    """Return AUROC, AUPR, FPR95 and detection error of a detector's scores, each with its 95 % bootstrap interval.

    id_scores (N,) of known images, ood_scores (M,) of anomalous ones, tensors or arrays; higher is more anomalous, and no
    sign is turned, so an AUROC below 0.5 means that the detector has it backwards. fpr95_id is the share of anomalous
    images accepted where 95 % of the known ones are; fpr95_ood the share of known ones flagged where 95 % of the
    anomalous ones are. ValueError for no scores and for NaN.
    """
    known, anomalous = (
        np.asarray(given.detach().cpu() if isinstance(given, Tensor) else given, dtype=np.float64)
        for given in (id_scores, ood_scores)
    )
    return intervals.detection(known, anomalous, resamples=resamples, seed=seed)


def detector_scores(
    detector: str,
    model: nn.Module,
    images: Tensor,
    *,
    fit_images: Tensor | None = None,
    fit_labels: Tensor | None = None,
    anomalous_images: Tensor | None = None,
    batch_size: int = 256,
    seed: int = 0,
    **settings: Any,
) -> Tensor:
    """Return the score of each image by a detector named as in `touchstone list detectors`, (N,); higher is more anomalous.

    What it reads of the model (logits, penultimate features, gradient norms) is read here. fit_images, fit_labels: known
    images that a fitted detector is fitted on, which the model was not trained on; anomalous_images: for a supervised
    one. settings: the detector's own. ValueError names a detector or setting that does not exist, and what is missing.
    """
    calls.check_tensors(images=images, fit_images=fit_images, fit_labels=fit_labels, anomalous_images=anomalous_images)
    if detector not in registry.names("detectors"):
        raise ValueError(
            f"no detector {detector}; there are {', '.join(registry.names('detectors'))}."
            f"{nearest(detector, registry.names('detectors'))}"
        )
    found = registry.component("detectors", detector)
    for name in settings:
        if name not in found.settings:
            raise ValueError(
                f"{name} is no setting of {detector}; it has {', '.join(found.settings) or 'none'}."
                f"{nearest(name, found.settings)}"
            )
    label = settings.get("label", found.settings["label"].default) if "label" in found.settings else "softmax_all"
    if label not in LABELS:
        raise ValueError(f"label {label}: expected one of {', '.join(LABELS)}.{nearest(str(label), LABELS)}")
    with frozen(model):
        state = {}
        if found.fit is not None:
            given = {"fit": fit_images, "anomalous": anomalous_images}
            arguments: list[Any] = []
            for name in found.fit.data:
                kind, _, data = name.partition("_")
                if name in ("seed", "model"):
                    arguments.append({"seed": seed, "model": model}[name])
                elif name == "fit_labels":
                    arguments.append(_needed(fit_labels, detector, "fit_labels"))
                else:
                    source = _needed(given[kind], detector, f"{kind}_images")
                    arguments.append(_read(model, source, (data,), label, batch_size)[data])
            fit = registry.load_fit(f"detectors/{detector}")
            state = fit(*arguments, **_own(fit, settings))
        function = registry.load(f"detectors/{detector}")
        names = tuple(name for name in found.call.data if name not in ("model", "state"))
        columns = _read(model, images, names, label, batch_size)
        scores = []
        for batch in batches(batch_size, *(columns[name] for name in names)):
            row = dict(zip(names, batch, strict=True)) | {"model": model, "state": state}
            scores.append(function(*(row[name] for name in found.call.data), **_own(function, settings)).detach())
    return torch.cat(scores)


def _needed(given: Tensor | None, detector: str, name: str) -> Tensor:
    if given is None:
        raise ValueError(f"{detector} is fitted, so it needs {name}")
    return given


def _own(function: Any, settings: dict[str, Any]) -> dict[str, Any]:
    """Return those of the settings that a function takes: a detector's `fit` and its score share some of them."""
    known = inspect.signature(function).parameters
    return {name: value for name, value in settings.items() if name in known}


def _read(model: nn.Module, images: Tensor, names: Sequence[str], label: str, batch_size: int) -> dict[str, Tensor]:
    """Return what a detector asks for of all images: each name's rows, (N, ...)."""
    wanted = {name: f"gradient_norms.{label}" if name == "gradient_norms" else name for name in names}
    parts: dict[str, list[Tensor]] = {name: [] for name in names}
    for (batch,) in batches(batch_size, images):
        asked = [key for key in wanted.values() if key != "images"]
        read = read_out(model, batch, {label: LABELS[label]}, names=asked) if asked else {}
        for name, key in wanted.items():
            parts[name].append(batch if name == "images" else read[key].detach())
    return {name: torch.cat(rows) for name, rows in parts.items()}
