"""The gate of a component that is called by itself: its data are checked by their names, and its model is guarded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor

from touchstone.api import gate, inputs, torch_state
from touchstone.api.arguments import check_images, check_labels, check_rows, check_streams
from touchstone.api.model_guard import as_module

ROWS = ("logits", "features", "gradient_norms")


@contextmanager
def passed(given: dict[str, Any], names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Check the data of a component, and yield them for a block in which its model is guarded.

    Tensors keep their graphs, because a detector's score may be attacked. An attack on no images returns none.

    Args:
        given: the data by name; images may come from a loader, and labels with them.
        names: of all data that the component takes.

    Raises:
        TypeError: If one of them is of another type, or if the model returns no tensor.
        ValueError: If images, labels, rows or random streams break their rules, or if the model does not take the images,
            returns anything but finite logits, or has no gradient that the component follows.
    """
    model = given.get("model")
    for place in [name for name in given if name.endswith("images") and inputs.is_loader(given[name])]:
        if (labels := place.replace("images", "labels")) in names:
            given[place], given[labels] = inputs.pair(place, given[place], given.get(labels), model)
    given = {name: _as_tensor(name, value, model) for name, value in given.items()}
    _check(given)
    with torch_state.defaults() as caller, ExitStack() as stack:
        data = {name: value.clone() if _made_in_inference(value) else value for name, value in given.items()}
        images = data.get("images", data.get("fit_images"))
        if "model" in data:
            data["model"] = as_module("model", data["model"])
            guard = stack.enter_context(gate.guarded("the model", data["model"], caller))
            if isinstance(images, Tensor) and len(images):
                logits = gate.first_logits(guard, data["model"], images[:1])
                gate.check_proper("the model", gate.first_logits(guard, data["model"], images[:8]))
                _check_labels(data, logits.shape[1])
        try:
            yield data
        except RuntimeError:
            if "model" in data and isinstance(images, Tensor) and len(images):
                gate.check_followed(data["model"], images)
            raise


def _as_tensor(name: str, value: Any, model: object) -> Any:
    """Return one of the data as a tensor if it is an array or a loader."""
    kind = name.removeprefix("fit_").removeprefix("anomalous_")
    if kind == "images":
        return inputs.as_images(name, value, model)
    if kind == "labels":
        return inputs.as_labels(name, value, model)
    return inputs.as_rows(name, value) if kind in ROWS else value


def _check(given: dict[str, Any]) -> None:
    """Check each of the data by its name, such as fit_features."""
    for name, value in given.items():
        kind = name.removeprefix("fit_").removeprefix("anomalous_")
        if kind == "images":
            check_images(name, value, some=False)
        elif kind in ROWS:
            check_rows(name, value)
    images = given.get("images")
    _check_labels(given, None)
    if "generator" in given and images is not None:
        check_streams("generator", given["generator"], "images", len(images))


def _check_labels(given: dict[str, Any], classes: int | None) -> None:
    """Check labels against the images or the rows that they belong to."""
    for name in ("labels", "fit_labels"):
        prefix = name.removesuffix("labels")
        rows = next((f"{prefix}{kind}" for kind in ("images", *ROWS) if f"{prefix}{kind}" in given), None)
        if name in given and rows is not None:
            check_labels(name, given[name], rows, given[rows], classes)


def _made_in_inference(value: object) -> bool:
    return isinstance(value, torch.Tensor) and value.is_inference()
