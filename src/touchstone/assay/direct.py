"""An assay in this process, without a study: of a function, a defence, a network's accuracy only, or two models compared."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from touchstone.api.defence_result import EVERYTHING
from touchstone.api.defences import ANSWERS, CLASSIFIER, evaluate_defence
from touchstone.api.deployed import NOTHING, SCORE, Deployed
from touchstone.api.gate import check_followed
from touchstone.api.pairs import evaluate_pair
from touchstone.assay import direct_cost, image_sets, methods, networks_from_weights, user_models
from touchstone.assay.arguments import Arguments, is_code, used_cores
from touchstone.assay.class_order import Numbering
from touchstone.assay.outcome import CLEAN, CLEAN_AGAINST, ROBUST, ROBUST_AGAINST, Measured, Outcome
from touchstone.assay.probe import check_right
from touchstone.messages import first_line
from touchstone.models.networks.programs import RISK
from touchstone.numerics.tensors import with_normalisation
from touchstone.records.nouns import Array

TRIED, OTHERS = 512, 1000  # images that show whether the model is right, and that set thresholds
ATTACKERS = {  # what each knows: in the names of numbers, and in words
    ANSWERS: ("answers", "the attacker sees only answers"),
    CLASSIFIER: ("classifier", "he knows the classifier, not the rejection"),
    EVERYTHING: ("everything", "he knows everything"),
}
FUNCTION = "function"  # how messages call a model whose code is the user's


class Images(NamedTuple):
    """The images that are attacked, and others that set thresholds."""

    attacked: Tensor
    labels: Tensor
    others: Tensor


def run_direct(arguments: Arguments, options: SimpleNamespace) -> Outcome | None:
    """Attack the model or models, and return what is left; None with --dry-run, which only says how long it takes.

    Raises:
        ValueError: If a model or the images cannot be used; the message says why and what to do.
    """
    torch.set_num_threads(used_cores(options.cores))
    effort = methods.EFFORTS[arguments.effort]
    labelled = image_sets.labelled_images(arguments, most=None, fewest=image_sets.FEWEST_ATTACKED)
    labelled.check_enough(arguments.images, labelled.counts["test"], "half of them are attacked")
    attacked = labelled.attacked[: arguments.images or effort.rows]
    images = Images(*_pixels(labelled, attacked), _pixels(labelled, labelled.others[:OTHERS])[0])
    settings = {"eps": arguments.eps, "steps": min(effort.steps, 20), "queries": effort.whole_suite["queries"]}
    settings |= {"restarts": effort.whole_suite["restarts"], "batch_size": arguments.batch_size, "progress": True}
    tried = _pixels(labelled, np.arange(min(TRIED, len(labelled.labels))))
    first = _opened(arguments.model, arguments, images, arguments.weights)
    about = {
        "model": options.model, **_weights("weights_sha256", first), "data": arguments.data.name,
        "eps": arguments.eps_written, "norm": "linf", "effort": arguments.effort, "images": len(attacked),
    }  # fmt: skip
    if options.against is not None:
        second = _opened(options.against, arguments, images)
        for name, model in ((options.model, first), (options.against, second)):
            _check_compared(name, model, *tried, labelled.numbering)
        about |= {"against": options.against, **_weights("weights_sha256_against", second)}
        direct_cost.announce([first, second], images.attacked, images.labels, settings)
        if options.dry_run:
            return None
        found = _compared(first, second, images, settings, about)
    else:
        check_right(Deployed(first, FUNCTION).eval(), *tried, labelled.numbering)
        backward = None if arguments.backward is None else _opened(arguments.backward, arguments, images)
        settings |= {"draws": arguments.draws, "backward": backward}
        direct_cost.announce([first], images.attacked, images.labels, settings)
        if options.dry_run:
            return None
        found = _defended(first, images, settings, about)
    return replace(found, notes=(*found.notes, *labelled.notes, *effort.weaker()))


def _pixels(labelled: image_sets.LabelledImages, places: Array) -> tuple[Tensor, Tensor]:
    """Return some of the images as floats in [0, 1], and their labels."""
    scale = 255 if labelled.images.dtype == "uint8" else 1
    pixels = torch.from_numpy(labelled.images[places].astype("float32") / scale)
    return pixels, torch.from_numpy(labelled.labels[places])


def _weights(name: str, model: Any) -> dict[str, str]:
    """Return the digest of a network's weights by this name; nothing for a function, whose weights are out of reach."""
    values = list(model.state_dict().values()) if isinstance(model, nn.Module) else []
    if not values:
        return {}
    digest = hashlib.sha256()
    for value in values:
        array = torch.as_tensor(value).detach().cpu().contiguous()
        digest.update(f"{array.dtype} {tuple(array.shape)}\n".encode())
        digest.update(array.flatten().view(torch.uint8).numpy().tobytes())
    return {name: digest.hexdigest()}


def _defended(defence: Any, images: Images, settings: dict[str, Any], about: dict[str, Any]) -> Outcome:
    with torch.no_grad():
        answer = Deployed(defence).eval().answer(images.attacked[:8])
    scored = answer.kind == SCORE
    found = evaluate_defence(
        defence, images.attacked, images.labels, calibration=images.others if scored else None, **settings
    )
    about |= {"classes": answer.logits.shape[1]}
    if answer.kind == NOTHING:
        answers = f"accuracy if {ATTACKERS[ANSWERS][1]}"
        numbers = {
            CLEAN: Measured("accuracy on clean images", found.clean_accuracy),
            "accuracy_knowing_answers": Measured(answers, found.left[ANSWERS]),
            ROBUST: Measured("accuracy under the worst attack", found.robust_accuracy),
        }
        return Outcome(about, numbers, found.failed_checks)
    numbers = {
        CLEAN: Measured("right and not rejected, clean images", found.clean_accuracy),
        "clean_rejected": Measured("rejected, clean images", found.clean_rejected),
    }
    for knew, rate in found.left.items():
        name, words = ATTACKERS[knew]
        left = ROBUST if knew == EVERYTHING else f"left_knowing_{name}"
        numbers[left] = Measured(f"left (right or rejected) if {words}", rate)
        rejected = Measured(f"rejected, of all attacked images, if {words}", found.rejected[knew])
        numbers[f"rejected_knowing_{name}"] = rejected
    notes = (f"threshold {found.threshold:.4g}, from {len(images.others)} other images",) if scored else ()
    return Outcome(about, numbers, found.failed_checks, notes)


def _compared(first: Any, second: Any, images: Images, settings: dict[str, Any], about: dict[str, Any]) -> Outcome:
    found = evaluate_pair(first, second, images.attacked, images.labels, **settings)
    names = (about["model"], about["against"])
    with torch.no_grad():
        about |= {"classes": first(images.attacked[:1]).shape[1]}
    numbers = {
        CLEAN: Measured(f"clean accuracy, {names[0]}", found.first.clean_accuracy),
        CLEAN_AGAINST: Measured(f"clean accuracy, {names[1]}", found.second.clean_accuracy),
        ROBUST: Measured(f"robust accuracy, {names[0]}", found.robust[0]),
        ROBUST_AGAINST: Measured(f"robust accuracy, {names[1]}", found.robust[1]),
        "on_images_of_the_other": Measured(f"right on images made on {names[1]}, {names[0]}", found.transferred[0]),
        "on_images_of_the_first": Measured(f"right on images made on {names[0]}, {names[1]}", found.transferred[1]),
        "clean_difference": Measured("clean difference, paired", found.clean_difference, "difference of fractions"),
        "difference": Measured("robust difference, paired", found.difference, "difference of fractions"),
    }
    return Outcome(about, numbers, found.first.failed_checks, failed_checks_against=found.second.failed_checks)


def _check_compared(name: str, model: Any, images: Tensor, labels: Tensor, numbering: Numbering) -> None:
    """Raise ValueError, with the name of a model, if its classes are not those of the images, or if it rejects any."""
    deployed = Deployed(model).eval()
    try:
        check_right(deployed, images, labels, numbering)
        check_followed(deployed, images)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
    with torch.no_grad():
        kind = deployed.answer(images[:2]).kind
    if kind != NOTHING:
        raise ValueError(
            f"{name} returns what it rejects beside its logits, and --against compares classifiers: let it return its"
            " logits only, or assay it without --against"
        )


def _opened(model: str, arguments: Arguments, images: Images, weights: str | None = None) -> Any:
    """Return a model as a function from images in [0, 1]."""
    channels, height, width = images.attacked.shape[1:]
    if is_code(model):
        if not arguments.trust_code:
            raise ValueError(
                f"{model}: the function {RISK}. If you trust it, add --trust-code. If not, use a container"
            )
        if arguments.mean or arguments.std:
            raise ValueError(
                f"{model}: leave out --mean and --std: a function gets pixels in [0, 1], and normalises itself"
            )
        return _called(model, images)
    opened = user_models.open_model(
        model,
        architecture=arguments.architecture,
        weights=weights,
        key=arguments.key,
        trust_code=arguments.trust_code,
    )
    network: nn.Module = opened.network if opened.network is not None else opened.program((channels, height, width))
    if opened.published is not None:  # RobustBench's networks normalise inside: the flags are for the other model
        return network.eval()
    return with_normalisation(network, *arguments.normalisation(channels)).eval()


def _called(model: str, images: Images) -> Any:
    """Return the defence that a function builds, or the function itself if it takes images; tried on two images."""
    defence: Any = networks_from_weights.built_or_itself(model)
    try:
        with torch.no_grad():
            Deployed(defence, FUNCTION).eval().answer(images.attacked[:2])
    except TypeError as error:
        raise ValueError(f"{model}: {first_line(error)}") from error
    except Exception as error:  # the user's code may raise anything
        if advice := networks_from_weights.gpu_advice(error):
            raise ValueError(f"{model}: {advice}") from error
        shape = " x ".join(map(str, images.attacked.shape[1:]))
        raise ValueError(
            f"{model} does not take your images, {shape} (channels x height x width): {first_line(error)}"
        ) from error
    return defence
