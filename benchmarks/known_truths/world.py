"""The settings of the world that truths are computed from, as experiment.yaml has them, and the keys of a test."""

from __future__ import annotations

from typing import Any

DISTANCE, SIGMA, NEAR, WIDE, RATE, CALIBRATION = 0.03, 0.08, 4 / 255, 6 / 255, 0.05, 600
NUISANCE = {"nuisance": 0.6, "nuisance_spread": 0.3}


def rows(evaluation: str, metric: str, entry: str, examples: str, **threat: float) -> dict[str, Any]:
    """Return the keys of a test that select its rows."""
    chosen: dict[str, Any] = {"evaluation": evaluation, "metric": metric, "entry": entry, "examples": examples}
    return chosen | ({"threat": threat} if threat else {})
