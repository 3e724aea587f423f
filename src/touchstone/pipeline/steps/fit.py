"""fit: a detector's state from its fitting data, and its thresholds from held-out ID data."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from touchstone.evaluations.statistics.thresholds import threshold_at
from touchstone.numerics.precision import float32_rounding
from touchstone.numerics.tensors import check_finite
from touchstone.pipeline.steps.score import columns_of
from touchstone.records.nouns import Detector, ExampleSet, Outputs, Scores


def fit(
    scored: Callable[[Detector], Scores],
    *,
    fitter: Callable[..., dict[str, Tensor]] | None,
    data: tuple[str, ...],
    fit_on: tuple[Outputs | None, ExampleSet | None],
    anomalous: list[tuple[Outputs | None, ExampleSet | None]],
    label: str | None,
    model: nn.Module | None,
    seed: int,
    false_positive_rates: list[float],
    settings: dict[str, Any],
    device: str,
) -> Detector:
    """Return the fitted detector with one threshold per false-positive rate.

    `scored` scores the calibration set with the detector that it is given. `data` names what `fitter` takes, in order. A
    detector that takes `anomalous_` data is recorded as supervised.

    Raises:
        ValueError: The detector cannot be fitted on these data, or gives the calibration set no finite scores.
    """
    state: dict[str, np.ndarray] = {}
    if fitter is not None:
        arguments: list[Any] = []
        for name in data:
            if name in ("seed", "model"):
                arguments.append({"seed": seed, "model": model}[name])
            elif name.startswith("anomalous_"):
                bare = (name.removeprefix("anomalous_"),)
                parts = [next(columns_of(outputs, examples, bare, label)) for outputs, examples in anomalous]
                arguments.append(torch.cat(parts).to(device))
            else:
                arguments.append(next(columns_of(*fit_on, (name.removeprefix("fit_"),), label)).to(device))
        for name, argument in zip(data, arguments, strict=True):
            if isinstance(argument, Tensor):
                check_finite(name, argument)
        state = {name: values.cpu().numpy() for name, values in fitter(*arguments).items()}
    supervised = any(name.startswith("anomalous_") for name in data)
    detector = Detector(state, settings, {}, 1.0, supervised)
    calibration = np.sort(scored(detector).scores)
    thresholds = {f"{rate:g}": threshold_at(calibration, rate) for rate in false_positive_rates}
    return replace(detector, thresholds=thresholds, spread=spread_of(calibration))


def spread_of(scores: np.ndarray[Any, Any]) -> float:
    """Return the unit for weighing scores: their standard deviation, or what rounding may move equal scores by."""
    return max(float(scores.std()), float32_rounding(scores)) or 1.0
