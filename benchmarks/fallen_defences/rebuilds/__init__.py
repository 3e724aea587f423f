"""The rebuilds, by name: a file each, with a `PAPER` and a `build` from what is defended to the defence."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

MECHANISMS = (
    "shattered gradients", "random", "saturated", "unrolled", "ensembles", "supervised detectors", "density detectors",
    "misleads the loss", "abstention",
)  # fmt: skip


def module(name: str) -> ModuleType:
    """Return the module of a rebuild."""
    return importlib.import_module(f"fallen_defences.rebuilds.{name}")


def file(name: str) -> Path:
    """Return the file of a rebuild."""
    return Path(__file__).parent / f"{name}.py"


def in_order() -> list[str]:
    """Return the names of all rebuilds: the first of each mechanism, then the second of each."""
    names = sorted(path.stem for path in Path(__file__).parent.glob("[a-z]*.py"))
    by_mechanism = {kind: [name for name in names if module(name).PAPER.mechanism == kind] for kind in MECHANISMS}
    most = max(map(len, by_mechanism.values()))
    return [own[place] for place in range(most) for own in by_mechanism.values() if place < len(own)]
