"""Networks that draw random numbers, or whose gradient is another network's: where a study may use them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from touchstone import registry
from touchstone.settings.problems import Problem

INSIDE = ("features", "gradient_norms", "model")  # what a detector reads of a network besides its logits


def omit_defaults(classifiers: dict[str, dict[str, Any]]) -> None:
    """Remove `draws: 1` and an empty `backward`, so that the jobs of other networks do not mention them."""
    for entry in classifiers.values():
        if entry.get("draws") == 1:
            del entry["draws"]
        if entry.get("backward") is None:
            entry.pop("backward", None)


def random_networks(resolved: dict[str, Any]) -> Iterator[Problem]:
    """Yield uses of such networks that attacks cannot follow, and margins of networks that draw random numbers.

    Attacks cannot follow a `backward` network of the same sort, nor detectors that read more than logits, nor defences.
    """
    classifiers = resolved["classifiers"]
    special = {name: key for name, entry in classifiers.items() for key in ("backward", "draws") if _is_set(entry, key)}
    for name in special:
        backward = classifiers[name]["backward"]
        if backward == name or backward in special:
            reason = f"{backward} must be a network that draws no random numbers and has no backward of its own"
            yield Problem(("classifiers", name, "backward"), reason)
    for name, entry in resolved["defences"].items():
        for part in {entry["classifier"], entry["encoder"]} & special.keys():
            reason = f"the defence {name} is built on this network; put its translator into the network's model instead"
            yield Problem(("classifiers", part, special[part]), reason)
    for name, question in resolved["evaluations"].items():
        inside = [detector for detector in question["detectors"] if _reads_inside(resolved["detectors"][detector])]
        for victim in [victim for victim in question["classifiers"] if victim in special and inside]:
            reason = (
                f"{name} asks for {inside[0]}, which reads more than logits, so no attack could follow it; ask for detectors"
                " of logits or images, such as msp, energy, pixel_mahalanobis"
            )
            yield Problem(("classifiers", victim, special[victim]), reason)
        for victim in question["classifiers"] if question["margins"] else ():
            if special.get(victim) != "draws":
                continue
            reason = f"{name} asks for margins, but a network that draws random numbers has no fixed decision boundary"
            yield Problem(("classifiers", victim, "draws"), reason)


def _is_set(entry: dict[str, Any], key: str) -> bool:
    return entry[key] not in (None, 1)


def _reads_inside(detector: dict[str, Any]) -> bool:
    component = registry.used(detector["use"])
    return bool(set(INSIDE) & set(component.call.data))
