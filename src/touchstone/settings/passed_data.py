"""The data that jobs pass to the components of each folder: the names that parameters before the star may have there."""

from __future__ import annotations

from touchstone.messages import nearest
from touchstone.registry import Component

ROWS = ("logits", "features", "gradient_norms", "images", "labels")  # of a set, one value per image
ATTACKED = ("images", "labels", "generator", "in_distribution")
CELLS = (
    *("checkpoints", "detectors", "outputs", "scores", "crossed_scores", "margins", "examples"),
    *("fit_outputs", "fit_margins", "calibration_scores", "rival_outputs", "rival_scores"),
)
PASSED: dict[str, tuple[str, ...]] = {
    "sources": ("folder",),
    "data": ("folder", "examples", "generator"),
    "models": ("input_shape", "classes"),
    "training": (
        *("model", "images", "labels", "generator", "companions", "classifier", "static_networks"),
        *("outliers", "outlier_generator"),
    ),
    "pretrained": ("folder",),
    "attacks": ("model", *ATTACKED),
    "adaptive": ("defence", "pipeline", *ATTACKED),
    "margins": ("model", "images", "labels", "generator"),
    "detectors": ("state", "model", *ROWS),
    "evaluations": CELLS,
    "figures": ("metrics", *CELLS),
}
PASSED_TO_SECOND = {  # to a detector's `fit`, and to the `companions` of an objective
    "detectors": ("model", "seed", *(f"{kind}_{rows}" for kind in ("fit", "anomalous") for rows in ROWS)),
    "training": ("input_shape",),
}


def not_passed(component: Component) -> str:
    """Return which parameter of a component asks for data that no job passes to it; "" if none does."""
    second = "fit" if component.fit else "companions"
    for function, data, passed in (
        (component.name, component.call.data, PASSED[component.folder]),
        (second, component.second.data, PASSED_TO_SECOND.get(component.folder, ())),
    ):
        for name in data:
            if name not in passed:
                file = f"{component.folder}/{component.name}.py"
                reason = (
                    f"{function} in {file} takes {name}, which no job passes to it; name one of {', '.join(passed)}"
                )
                return f"{reason}, or put it after the star.{nearest(name, passed)}"
    return ""
