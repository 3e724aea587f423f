"""infer: everything that detectors read from one network on one ExampleSet, in one pass."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from touchstone.attacks.adversary.defences import Pipeline
from touchstone.models.networks.readouts import Confounding, has_features, read_out
from touchstone.numerics import tensors
from touchstone.records.nouns import Array, ExampleSet, Outputs


def infer(examples: ExampleSet, model: nn.Module, *, confounding: Confounding, batch_size: int, device: str) -> Outputs:
    """Return logits, penultimate features and, per confounding label, the squared gradient norms of `examples`.

    A TorchScript network has no features. Attacked sets also get the logits of their float images. For a defence, the
    features are the logits of both paths ("untranslated" and "translated"), which path was taken ("routed", 1 for the
    translated one) and, if the defence has a router, its "routing_score".
    """
    images = torch.from_numpy(examples.images).to(device)
    if isinstance(model, Pipeline):
        return _of_pipeline(examples, images, model, batch_size, device)
    reached = has_features(model)
    names = ["logits", *(["features"] if reached else []), *(f"gradient_norms.{name}" for name in confounding)]
    read = [read_out(model, batch, confounding, names=names) for (batch,) in tensors.batches(batch_size, images)]

    def joined(name: str) -> Array:
        return torch.cat([part[name] for part in read]).cpu().numpy()

    return Outputs(
        logits=joined("logits"),
        labels=examples.labels,
        example_ids=examples.example_ids,
        features={"penultimate": joined("features")} if reached else {},
        gradient_norms={name: joined(f"gradient_norms.{name}") for name in confounding},
        unquantised_logits=_logits(examples.unquantised, model, batch_size, device),
    )


def _of_pipeline(examples: ExampleSet, images: Tensor, model: Pipeline, batch_size: int, device: str) -> Outputs:
    with torch.no_grad():
        parts = [model.paths(batch) for (batch,) in tensors.batches(batch_size, images)]
    columns = {"untranslated": "untranslated", "translated": "translated", "routed": "routed"}
    if model.router is not None:
        columns["routing_score"] = "scores"

    def joined(name: str) -> Array:
        return torch.cat([getattr(part, name) for part in parts]).float().cpu().numpy()

    return Outputs(
        logits=joined("logits"),
        labels=examples.labels,
        example_ids=examples.example_ids,
        features={feature: joined(name) for feature, name in columns.items()},
        unquantised_logits=_logits(examples.unquantised, model, batch_size, device),
    )


def _logits(images: Array | None, model: nn.Module, batch_size: int, device: str) -> Array | None:
    if images is None:
        return None
    with torch.no_grad():
        rows = torch.from_numpy(images).to(device)
        return torch.cat([model(batch) for (batch,) in tensors.batches(batch_size, rows)]).cpu().numpy()
