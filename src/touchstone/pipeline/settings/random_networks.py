"""Networks that draw random numbers, or whose gradient is another network's: where a study may use them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from touchstone import registry
from touchstone.pipeline.settings.problems import Problem

INSIDE = ("features", "gradient_norms", "model")  # what a detector reads of a network besides its logits


def omit_defaults(classifiers: dict[str, dict[str, Any]]) -> None:
    """Remove `draws: 1` and an empty `backward`, so that the jobs of other networks do not mention them."""
    for entry in classifiers.values():
        if entry.get("draws") == 1:
            del entry["draws"]
        if entry.get("backward") is None:
            entry.pop("backward", None)


def random_networks(resolved: dict[str, Any]) -> Iterator[Problem]:
    """Yield what attacks could not follow: chains of `backward`, and detectors and defences that look inside."""
    special = {
        name for name, entry in resolved["classifiers"].items() if (entry["draws"] or 1) > 1 or entry["backward"]
    }
    for name in special:
        backward = resolved["classifiers"][name]["backward"]
        if backward == name or backward in special:
            reason = f"{backward} must be a network that draws no random numbers and has no backward of its own"
            yield Problem(("classifiers", name, "backward"), reason)
    for name, entry in resolved["defences"].items():
        for key in ("classifier", "encoder"):
            if entry[key] in special:
                reason = f"{entry[key]} has draws or backward; put the translator into its model instead"
                yield Problem(("defences", name, key), reason)
    for name, question in resolved["evaluations"].items():
        asked = [victim for victim in question["classifiers"] if victim in special]
        inside = [detector for detector in question["detectors"] if _reads_inside(resolved["detectors"][detector])]
        if asked and inside:
            reason = (
                f"{inside[0]} reads more than the logits of {asked[0]}, which has draws or backward, so attacks could not"
                " follow it; ask for detectors of logits or images, such as msp, energy, pixel_mahalanobis"
            )
            yield Problem(("evaluations", name, "detectors"), reason)


def _reads_inside(detector: dict[str, Any]) -> bool:
    component = registry.used(detector["use"])
    return bool(set(INSIDE) & set(component.call.data))
