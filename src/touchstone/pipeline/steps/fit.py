"""fit: a detector's state from its fitting data, and its thresholds from held-out ID data."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from touchstone.pipeline.steps.score import columns_of
from touchstone.records.nouns import Detector, ExampleSet, Outputs, Scores
from touchstone.statistics.thresholds import threshold_at


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
        state = {name: values.cpu().numpy() for name, values in fitter(*arguments).items()}
    supervised = any(name.startswith("anomalous_") for name in data)
    detector = Detector(state, settings, {}, 1.0, supervised)
    calibration = np.sort(scored(detector).scores)
    thresholds = {f"{rate:g}": threshold_at(calibration, rate) for rate in false_positive_rates}
    return replace(detector, thresholds=thresholds, spread=max(float(calibration.std()), 1e-12))
