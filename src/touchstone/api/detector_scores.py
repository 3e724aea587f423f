"""The scores of a detector for a model of your own, and how well they tell images apart, from a notebook."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from touchstone import registry
from touchstone.api import gate, inputs
from touchstone.api.arguments import check_alike, check_images, check_labels, check_whole, scores
from touchstone.api.components import component
from touchstone.api.inputs import Images, Labels
from touchstone.api.model_guard import with_layers
from touchstone.contracts import Model
from touchstone.evaluations.statistics import rank_intervals
from touchstone.evaluations.statistics.intervals import Interval
from touchstone.messages import first_line, nearest
from touchstone.models.networks import penultimate
from touchstone.models.networks.confounding import confounding_labels, confounding_norms
from touchstone.models.networks.readouts import Confounding, read_out
from touchstone.numerics.tensors import batches, check_finite

LABELS: Confounding = {  # confounding labels by the names that experiments give them
    "softmax_all": {"variant": "softmax", "ones": None, "draws": None},
    "sigmoid_all": {"variant": "sigmoid", "ones": None, "draws": None},
    "softmax_two": {"variant": "softmax", "ones": 2, "draws": 2},
    "sigmoid_none": {"variant": "sigmoid", "ones": 0, "draws": None},
}


def evaluate_scores(
    id_scores: Tensor, ood_scores: Tensor, *, resamples: int = 1000, seed: int = 0
) -> dict[str, Interval]:
    """Return how well scores separate two sets of images, each metric with its 95 % interval.

    Args:
        id_scores: (N,), of in-distribution images; tensor or array. Higher is more anomalous, and no sign is turned.
        ood_scores: (M,), of anomalous images.
        resamples: of the bootstrap.
        seed: of the bootstrap.

    Returns:
        auroc: below 0.5 if the detector ranks the two sets the wrong way round.
        aupr_id, aupr_ood: area under the precision-recall curve with either set as the positive class.
        fpr95_id: share of anomalous images accepted at the threshold that accepts 95 % of the in-distribution ones.
        fpr95_ood: share of in-distribution images flagged at the threshold that flags 95 % of the anomalous ones.
        detection_error: least mean of both error rates over all thresholds, as papers define it. The best threshold is
            that of these scores, so it is too low: with 200 of each by .03 at an AUROC of .5, by .01 at .92.

    Raises:
        TypeError: If scores are no numbers.
        ValueError: If a set has no scores, is not (N,), or holds NaN.

    Examples:
        >>> metrics = evaluate_scores([0.1, 0.2, 0.3, 0.4], [0.3, 0.5, 0.6, 0.7])
        >>> metrics["auroc"].value  # of 16 pairs, 14 are in order, and one is a tie
        0.90625
    """
    check_whole(2, resamples=resamples)
    in_distribution, anomalous = scores("id_scores", id_scores), scores("ood_scores", ood_scores)
    metrics = rank_intervals.detection(in_distribution, anomalous, resamples=resamples, seed=seed)
    return {name: metric._replace(resampled=None) for name, metric in metrics.items()}  # else a thousand numbers each


def detector_scores(
    detector: str,
    model: Model,
    images: Images,
    *,
    fit_images: Images | None = None,
    fit_labels: Labels | None = None,
    anomalous_images: Images | None = None,
    features: str | None = None,
    batch_size: int = 256,
    seed: int = 0,
    **settings: Any,
) -> Tensor:
    """Return the score of each image by a detector, (N,); higher is more anomalous.

    Logits, features of the penultimate layer and gradient norms are computed here, as far as the detector needs them.

    Args:
        detector: a name that `touchstone list detectors` prints.
        model: a classifier, with its normalisation inside. A function or a program of torch.export works only with
            detectors that read logits or images.
        images: (N, C, H, W), floats in [0, 1]; a tensor, an array, or a loader of batches, whose labels are not read.
        fit_images: in-distribution images to fit a fitted detector on. The model must not have been trained on them.
        fit_labels: their classes, (M,) int64, for a detector that needs them; omitted if `fit_images` is a loader of
            batches (images, labels).
        anomalous_images: for a supervised detector.
        features: the module whose output, (N, D), is read as the features, by its name in `model.named_modules()`: "layer4",
            or "module.layer4" in nn.DataParallel. Maps (N, C, H, W) are averaged over their pixels. None: the input of
            the last nn.Linear.
        batch_size: images per forward pass.
        seed: of the fit.
        settings: of the detector.

    Raises:
        TypeError: If images or labels are of another type, or if the detector reads more of the model than it shows.
        ValueError: If there is no such detector or setting, if there are no images, if the model does not take them, if
            something that the fit needs is missing, if the detector cannot be fitted, or if a score is NaN or infinite.

    Examples:
        >>> import torch
        >>> def model(images):  # two classes by brightness
        ...     lead = images.flatten(1).mean(1) - 0.5
        ...     return torch.stack([-lead, lead], 1)
        >>> detector_scores("max_logit", model, torch.tensor([0.5, 0.75, 1.0]).view(3, 1, 1, 1))
        tensor([ 0.0000, -0.2500, -0.5000])
    """
    bound = component(f"detectors/{detector}", **settings)
    signature = registry.component("detectors", detector)
    reads_labels = signature.fit is not None and "fit_labels" in signature.fit.data
    if reads_labels or not inputs.is_loader(fit_images):
        fit_images, fit_labels = inputs.pair("fit_images", fit_images, fit_labels, model)
    given = {"images": images, "fit_images": fit_images, "anomalous_images": anomalous_images}
    sets = {name: inputs.as_images(name, values, model) for name, values in given.items()}
    for name, values in sets.items():
        if values is not None or name == "images":
            check_images(name, values)
    if fit_labels is not None:
        if fit_images is None:
            raise ValueError("fit_labels are given without fit_images: give both")
        check_labels("fit_labels", fit_labels, "fit_images", sets["fit_images"])
    check_alike(**sets)
    check_whole(1, batch_size=batch_size)
    defaults = {name: setting.default for name, setting in signature.settings.items()}
    label = str((defaults | bound.settings).get("label", "softmax_all"))
    if label not in LABELS:
        raise ValueError(f"detectors/{detector}: label: expected one of {', '.join(LABELS)}.{nearest(label, LABELS)}")
    data = signature.call.data + (signature.fit.data if signature.fit is not None else ())
    reads = [kind for kind in ("features", "gradient_norms") if any(name.endswith(kind) for name in data)]
    if features is not None and "features" not in reads:
        raise ValueError(f"features: detectors/{detector} reads none, so this has no effect; omit it")
    network = with_layers(f"detectors/{detector}", model, " and ".join(reads)) if reads else model
    with gate.entered(network, sets["images"], batch_size=batch_size, full_precision=bool(reads)) as door:
        if fit_labels is not None:
            check_labels("fit_labels", fit_labels, "fit_images", sets["fit_images"], door.logits.shape[1])
        gate.check_steady(door.model, door.images)
        rows = {name: None if values is None else gate.usable(values) for name, values in sets.items()}
        read = partial(_read, door.model, label=label, batch_size=batch_size, layer=_layer(model, features))
        state = {}
        if bound.fit is not None and signature.fit is not None:
            arguments: list[Any] = []
            for name in signature.fit.data:
                kind, _, quantity = name.partition("_")
                if name in ("seed", "model"):
                    arguments.append({"seed": seed, "model": door.model}[name])
                elif name == "fit_labels":
                    arguments.append(gate.usable(_required(fit_labels, detector, "fit_labels")))
                else:
                    source = _required(rows[f"{kind}_images"], detector, f"{kind}_images")
                    arguments.append(read(source, f"{kind}_images", (quantity,))[quantity])
            with _named(f"detectors/{detector} cannot be fitted"):
                for name, argument in zip(signature.fit.data, arguments, strict=True):
                    if isinstance(argument, Tensor):
                        check_finite(name, argument)
                state = bound.fit(*arguments)
                for name, values in state.items():
                    check_finite(f"its {name}", values)
        names = tuple(name for name in signature.call.data if name not in ("model", "state"))
        columns = read(door.images, "images", names)
        found = []
        for batch in batches(batch_size, *(columns[name] for name in names)):
            row = dict(zip(names, batch, strict=True)) | {"model": door.model, "state": state}
            with _named(f"detectors/{detector} gives no scores"):
                found.append(bound.function(*(row[name] for name in signature.call.data)).detach())
    result = torch.cat(found)
    check_finite(f"detectors/{detector} gives no finite scores for some images", result)
    return result


@contextmanager
def _named(what: str) -> Iterator[None]:
    """Name the detector in what its functions raise about the data."""
    try:
        yield
    except (ValueError, torch.linalg.LinAlgError) as error:  # type: ignore[attr-defined]
        raise ValueError(f"{what}: {first_line(error)}") from error


def _required(value: Any, detector: str, name: str) -> Tensor:
    if value is None:
        raise ValueError(f"detectors/{detector}: {name}: required, because this detector is fitted")
    given: Tensor = value
    return given


def _check_features(model: nn.Module, images: Tensor) -> None:
    """Raise ValueError for a model in which the features cannot be found."""
    try:
        penultimate.features_of(model, images, model(images))
    except ValueError as error:
        raise ValueError(
            f"the detector reads penultimate features, and {error}. Name the module that makes them, such as"
            " features='layer4', or use a detector of logits, images or gradients"
        ) from error


class _Layer(NamedTuple):
    """A module of a network, and its name in it."""

    name: str
    module: nn.Module


def _layer(model: Model, name: str | None) -> _Layer | None:
    """Return the module of a name, as the network that the user holds calls it; ValueError with the nearest name."""
    if name is None or not isinstance(model, nn.Module):
        return None
    names = [known for known, _ in model.named_modules() if known]
    if name not in names:
        raise ValueError(f"features: the network has no module {name!r}.{nearest(name, names)}")
    return _Layer(name, model.get_submodule(name))


def _at_layer(model: nn.Module, layer: _Layer, images: Tensor) -> dict[str, Tensor]:
    """Return the logits, and what a module of the network returns as features, (N, D)."""
    passed: list[Any] = []
    hook = layer.module.register_forward_hook(lambda _, inputs, output: passed.append(output))
    try:
        with torch.no_grad():
            logits = model(images)
    finally:
        hook.remove()
    if not passed:
        raise ValueError(f"features: the network does not call its module {layer.name!r}; name one that it calls")
    maps = passed[-1]
    if not isinstance(maps, Tensor) or maps.dim() not in (2, 4) or len(maps) != len(images):
        got = f"shape {tuple(maps.shape)}" if isinstance(maps, Tensor) else f"a {type(maps).__name__}"
        raise ValueError(
            f"features: the module {layer.name!r} returns {got} for {len(images)} images, expected (N, D) or maps"
            " (N, C, H, W); name another one"
        )
    return {"logits": logits, "features": maps.flatten(2).mean(2) if maps.dim() == 4 else maps}


def _gradient_norms(model: nn.Module, images: Tensor, classes: int, label: str) -> dict[str, Tensor]:
    """Return the gradient norms of a confounding label as `read_out` does, which needs a linear layer that is called."""
    settings = LABELS[label]
    targets = confounding_labels(classes, settings["ones"], settings["draws"])
    return {f"gradient_norms.{label}": confounding_norms(model, images, targets, variant=settings["variant"])}


def _read(
    model: nn.Module,
    images: Tensor,
    images_name: str,
    names: Sequence[str],
    *,
    label: str,
    batch_size: int,
    layer: _Layer | None,
) -> dict[str, Tensor]:
    """Return what a detector reads of all images, by name: one row per image, (N, ...)."""
    keys = {name: f"gradient_norms.{label}" if name == "gradient_norms" else name for name in names}
    computed = [key for key in keys.values() if key != "images"]
    parts: dict[str, list[Tensor]] = {name: [] for name in names}
    if "features" in computed and layer is None:
        _check_features(model, images[:2])
    for (batch,) in batches(batch_size, images):
        read: dict[str, Tensor] = {}
        if layer is not None and "features" in computed:
            read = _at_layer(model, layer, batch)
            if "gradient_norms" in names:
                read |= _gradient_norms(model, batch, read["logits"].shape[1], label)
        elif "features" in computed:
            read = read_out(model, batch, {label: LABELS[label]}, names={*computed, "logits"})
        elif computed:  # of any network, whatever its layers
            with torch.no_grad():
                read = {"logits": model(batch)}
            if "gradient_norms" in names:
                read |= _gradient_norms(model, batch, read["logits"].shape[1], label)
        if read:
            gate.check_finite_logits("the model", read["logits"], images_name)
        for name, key in keys.items():
            values = batch if name == "images" else read[key].detach()
            parts[name].append(values.to(torch.promote_types(values.dtype, torch.float32)))
    return {name: torch.cat(rows) for name, rows in parts.items()}
