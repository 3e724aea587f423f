"""Try a model before hours are spent on it: shapes, range, gradients, and mistakes that make it look robust."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from touchstone.api import gate
from touchstone.api.model_guard import check_logits
from touchstone.assay.class_order import MOST, Numbering, right_order
from touchstone.assay.networks_from_weights import gpu_advice
from touchstone.assay.steadiness import check_steady, varies
from touchstone.attacks.adversary.expectation import Expected
from touchstone.messages import first_line
from touchstone.models.networks import penultimate
from touchstone.models.networks.programs import FAULTS
from touchstone.models.networks.readouts import has_features, read_out
from touchstone.numerics import tensors
from touchstone.numerics.precision import float32_rounding

SCORED = 256  # images that accuracy is estimated on
PLAIN = "no"  # the normalisation that changes nothing
NORMALISATIONS: dict[str, tuple[list[float], list[float]]] = {
    PLAIN: ([0.0], [1.0]),
    "ImageNet's": ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    "CIFAR-10's": ([0.4914, 0.4822, 0.4465], [0.247, 0.2435, 0.2616]),
    "MNIST's": ([0.1307], [0.3081]),
    "[-1, 1]": ([0.5], [0.5]),
    "0 to 255": ([0.0], [1 / 255]),
}
GAIN = 0.1  # in accuracy, from which another normalisation is suggested
TIE = 0.02  # in accuracy, up to which no normalisation is suggested instead
CHANCE = 1e-4  # probability that guessing is right on so few images, below which the model has other classes


@dataclass
class Findings:
    """What a model did: the facts that a study needs, and notes for its user."""

    classes: int = 0
    no_features: str = ""  # why it has no penultimate features; "" if it has
    no_gradient_norms: str = ""  # why it has no gradients of its parameters; "" if it has
    width: int = 0  # of the features
    accuracy: float = 0.0
    seconds: float = 0.0  # of one forward and backward pass of one image
    advice: str = ""  # the normalisation that makes it much more accurate, as a sentence; "" for none
    notes: list[str] = field(default_factory=list)


def probe(
    network: nn.Module,
    mean: list[float],
    std: list[float],
    images: Tensor,
    labels: Tensor,
    numbering: Numbering,
    *,
    draws: int = 1,
    backward: nn.Module | None = None,
) -> Findings:
    """Return what a network, behind its normalisation, does on the user's images.

    Args:
        network: from normalised images to logits, as the study will run it.
        mean: of each channel, subtracted from the images.
        std: of each channel, which the difference is divided by.
        images: (N, C, H, W) in [0, 1].
        labels: (N,) int64.
        numbering: how the images got their labels.
        draws: per pass of an attack; above 1, the network may draw random numbers.
        backward: what attacks differentiate in place of the network, from normalised images to logits.

    Raises:
        ValueError: an assay of this model would say nothing; the message says why and what to do.
    """
    model = tensors.with_normalisation(network, mean, std).eval()
    findings = Findings()
    some = images[:8]
    _logits(model, images[:1])  # with as many images as classes, rows and columns look alike
    logits = _logits(model, some)
    findings.classes = logits.shape[1]
    scored, scored_labels = images[:SCORED], labels[:SCORED].numpy()
    findings.notes += numbering.fit(findings.classes, scored_labels, lambda: _predictions(model, scored).numpy())
    seen: nn.Module = model
    if draws > 1 or backward is not None:
        stand_in = None if backward is None else tensors.with_normalisation(backward, mean, std).eval()
        seen = Expected(model, draws, stand_in)
        findings.no_features = findings.no_gradient_norms = "attacks see another network than the one that predicts"
        if stand_in is not None and (shape := _logits(stand_in, some).shape) != logits.shape:
            raise ValueError(f"--backward returns logits {tuple(shape)}, and the model {tuple(logits.shape)}")
    if draws == 1:
        check_steady(model, some, logits)
    elif not varies(model, some, logits):
        findings.notes.append(
            "the model returns the same logits each time, so leave out --draws: it costs time, and detectors and margins are"
            " left out with it"
        )
    if has_features(model):
        _one_row_per_image(model, some)
    _sees(model, images, logits)
    _unbounded(logits, findings)
    _differentiable(seen, some)
    if seen is model:
        _internals(model, network, some, logits, findings)
    images, labels = images[:SCORED], labels[:SCORED]
    predictions = _predictions(model, images)
    findings.accuracy = float((predictions == labels).float().mean())
    right = f"right on {findings.accuracy:.0%} of {len(images)} of your images"
    advice, share = _other_normalisation(network, mean, std, images, labels, findings)
    _refuse_other_classes(right, predictions, labels, findings.classes, numbering, advice, share)
    findings.notes.append(right)
    if advice:
        findings.advice = f"{advice}: was it trained on such images?"
        findings.notes.append(findings.advice)
    elif findings.accuracy < 2 / max(findings.classes, 3) and findings.accuracy < 0.5:
        findings.notes.append(
            "that is little better than guessing: are the classes in the model's order (--classes a,b,c)?"
        )
    findings.seconds = _seconds(seen, images[:64]) / draws
    return findings


def check_right(model: nn.Module, images: Tensor, labels: Tensor, numbering: Numbering) -> None:
    """Raise ValueError if the classes of a model are not those of the images, or if it is worse than guessing."""
    classes = _logits(model, images[:8]).shape[1]
    numbering.fit(classes, labels.numpy(), lambda: _predictions(model, images).numpy())
    predictions = _predictions(model, images)
    right = f"right on {float((predictions == labels).float().mean()):.0%} of {len(images)} of your images"
    _refuse_other_classes(right, predictions, labels, classes, numbering)


def _refuse_other_classes(
    right: str,
    predictions: Tensor,
    labels: Tensor,
    classes: int,
    numbering: Numbering,
    advice: str = "",
    share: float = 0,
) -> None:
    """Raise ValueError if another order of the classes makes a model right, or if it is worse than guessing.

    With another normalisation, of which `advice` speaks, it is right on `share` of the images. An order that the user stated
    stands if it makes the model right on most images.
    """
    order = right_order(labels.numpy(), predictions.numpy(), classes)
    stands = numbering.stated and float((predictions == labels).float().mean()) > MOST
    if order is not None and order.accuracy > share and not stands:
        raise ValueError(
            f"{right}, but on {order.accuracy:.0%} in another order: its classes are not in the order of yours."
            f" {numbering.in_order(order.outputs, classes)}"
        )
    if _below_guessing(predictions == labels, classes):
        hint = f" {advice[0].upper()}{advice[1:]}." if advice else ""
        raise ValueError(
            f"{right}, so there is nothing to attack, and no other order of the classes was found that makes most of them"
            f" right. Is this the model that was trained on these classes?{hint}"
        )


def _logits(model: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    shape = " x ".join(map(str, images.shape[1:]))
    try:
        with torch.no_grad():
            logits = model(images)
    except FAULTS as error:
        if advice := gpu_advice(error):
            raise ValueError(f"the model cannot run: {advice}") from error
        lines = [line.strip() for line in str(error).strip().splitlines() if line.strip()]
        raised = (line.partition("RuntimeError: ")[2] for line in lines if "RuntimeError: " in line)
        reason = next(raised, first_line(error))
        raise ValueError(
            f"the model does not take your images, {shape} (channels x height x width): {reason.rstrip('.!')}."
            " --resize HEIGHTxWIDTH, --gray or --rgb change the images"
        ) from error
    try:
        check_logits("the model", logits, images)
    except TypeError as error:
        raise ValueError(str(error)) from error
    if logits.dtype != torch.float32:
        raise ValueError(f"the model returns {logits.dtype}; convert it to float32: model.float()")
    gate.check_finite_logits("the model", logits, "tried images")
    return logits


def _one_row_per_image(model: nn.Module, images: Tensor) -> None:
    """Raise ValueError if the features that every study reads are not one row for each image."""
    rows = len(read_out(model, images, {}, names=["features"])["features"])
    if rows != len(images):
        raise ValueError(
            f"the last nn.Linear of the model gets {rows} rows for {len(images)} images, and the study reads one row for"
            " each image there. Keep the images as the first dimension of its input, (images, windows, features), or let"
            " an nn.Linear return the logits"
        )


def _sees(model: Callable[[Tensor], Tensor], images: Tensor, logits: Tensor) -> None:
    """Raise ValueError for a model that ignores its input."""
    others = torch.cat([images[-8:], torch.rand(8, *images.shape[1:], generator=torch.Generator().manual_seed(0))])
    with torch.no_grad():
        spread = torch.cat([logits, model(others)])
    if float((spread - spread[:1]).abs().max()) <= float32_rounding(spread, steps=8):
        raise ValueError(
            "the model ignores its input: it returns the same logits for every image, and for noise; look at what its"
            " forward does with it, and whether its weights were loaded"
        )


def _unbounded(logits: Tensor, findings: Findings) -> None:
    """Raise ValueError for probabilities: their gradients vanish if the model is sure, which makes attacks fail."""
    gate.check_no_probabilities("the model", logits)
    findings.notes += filter(None, (gate.doubtful(logits), gate.saturated(logits)))
    if bool((logits.logsumexp(1).abs() < 1e-4).all()):
        findings.notes.append(
            "its outputs are log-probabilities; attacks work all the same, but max_logit and energy say little"
        )


def _differentiable(model: Callable[[Tensor], Tensor], images: Tensor) -> None:
    """Raise ValueError if attacks cannot follow the gradient for the images."""
    inputs = images.clone().requires_grad_()
    try:
        logits = model(inputs)
        runner_up = logits.topk(2).values[:, 1]
        (gradient,) = torch.autograd.grad((logits.amax(1) - runner_up).sum(), inputs)
    except RuntimeError as error:
        raise ValueError(
            f"the model is not differentiable: no gradient reaches the images ({first_line(error)}). Look for"
            " no_grad, detach, numpy, rounding or argmax inside it"
        ) from error
    if not bool(torch.isfinite(gradient).all()):
        raise ValueError("the gradient for the images is NaN or infinite; attacks cannot follow it")
    zero = int((gradient.flatten(1) == 0).all(1).sum())
    if zero == len(images):
        raise ValueError(
            "the gradient for the images is exactly zero everywhere: rounding or saturation hides it. The results of"
            " attacks would say nothing about the model. If it purifies its input: --backward names it without the purifier"
        )


def _internals(model: nn.Module, network: nn.Module, images: Tensor, logits: Tensor, findings: Findings) -> None:
    """Note whether the network has penultimate features, and gradients of its parameters."""
    if not list(network.parameters()) or isinstance(getattr(network, "inner", None), torch.jit.ScriptModule):
        findings.no_features = findings.no_gradient_norms = (
            "the layers of a TorchScript file are not accessible; those of a .pt2 file are"
        )
        return
    try:
        findings.width = penultimate.features_of(model, images, logits).shape[1]
    except ValueError as error:
        findings.no_features = str(error)


def _predictions(model: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    with torch.no_grad():
        return torch.cat([model(batch).argmax(1) for (batch,) in tensors.batches(64, images)])


def _below_guessing(right: Tensor, classes: int) -> bool:
    """Return whether a model is never right, or right much less often than guessing."""
    from scipy.stats import binomtest

    hits = int(right.sum())
    return hits == 0 or binomtest(hits, len(right), 1 / classes, alternative="less").pvalue < CHANCE


def _like_guessing(accuracy: float, count: int, classes: int) -> bool:
    """Return whether guessing may be right on such a share of so many images, or on more."""
    from scipy.stats import binomtest

    return bool(binomtest(round(accuracy * count), count, 1 / classes, alternative="greater").pvalue >= CHANCE)


def _other_normalisation(
    network: nn.Module, mean: list[float], std: list[float], images: Tensor, labels: Tensor, findings: Findings
) -> tuple[str, float]:
    """Return the normalisation that makes the model much more accurate, in words, and its accuracy; "" for none."""
    shares: dict[str, float] = {}
    flags: dict[str, str] = {}
    for name, (other_mean, other_std) in NORMALISATIONS.items():
        if len(other_mean) not in (1, images.shape[1]):
            continue
        wide = [values * images.shape[1] if len(values) == 1 else values for values in (other_mean, other_std)]
        if wide == [mean, std]:
            continue
        model = tensors.with_normalisation(network, *wide).eval()
        shares[name] = float((_predictions(model, images) == labels).float().mean())
        written = [",".join(f"{value:g}" for value in values) for values in wide]
        flags[name] = f"with {name} normalisation (--mean {written[0]} --std {written[1]})"
    flags[PLAIN] = "without normalisation (no --mean and no --std)"
    best = max(shares, key=lambda name: shares[name])
    if PLAIN in shares and shares[PLAIN] >= shares[best] - TIE:
        best = PLAIN
    if shares[best] <= findings.accuracy + GAIN or _like_guessing(shares[best], len(images), findings.classes):
        return "", 0.0
    return f"{flags[best]} it is right on {shares[best]:.0%}", shares[best]


def _seconds(model: Callable[[Tensor], Tensor], images: Tensor) -> float:
    """Return the seconds of a forward and a backward pass of one image, in a batch of these."""
    best = float("inf")
    for _ in range(3):
        inputs = images.clone().requires_grad_()
        start = time.perf_counter()
        torch.autograd.grad(model(inputs).logsumexp(1).sum(), inputs)
        best = min(best, time.perf_counter() - start)
    return best / len(images)
