"""Components by file name: `use: pgd` in the section `attacks` means the function `pgd` in attacks/pgd.py."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from touchstone import plugins
from touchstone.signatures import ComponentError, Setting, Signature, read_signature, read_words

PACKAGE = plugins.PACKAGE
FOLDERS = (
    "sources", "data", "models", "training", "pretrained", "attacks", "adaptive", "margins", "detectors", "evaluations",
    "figures",
)  # fmt: skip

# The names that parameters before the star may have. Every other parameter of a component is a setting.
DATA_NAMES = frozenset(
    (
        *("model", "classifier", "static_networks", "defence", "pipeline", "images", "labels"),
        *("logits", "features", "gradient_norms", "companions"),
        *("state", "examples", "train", "validation", "outliers", "folder", "generator", "outlier_generator"),
        *("in_distribution", "input_shape", "classes", "seed", "outputs", "scores", "margins", "detectors"),
        *("checkpoints", "metrics", "rival_outputs", "rival_scores", "crossed_scores"),
    )
)


@dataclass(frozen=True)
class Component:
    """One file of a component folder, such as detectors/knn.py.

    Attributes:
        folder: detectors.
        name: knn.
        path: of the file.
        call: the function or class of the same name.
        fit: the function `fit` of a detector that is fitted on data.
        companions: the function `companions` of an objective that trains further networks, such as a discriminator.
        metrics: the names that an evaluation's rows can have, `*` for what is built; () if its file has no METRICS.
    """

    folder: str
    name: str
    path: Path
    call: Signature
    fit: Signature | None = field(default=None)
    companions: Signature | None = field(default=None)
    metrics: tuple[str, ...] = ()

    @property
    def second(self) -> Signature:
        """The signature of `fit` or `companions`, empty if the file has neither."""
        return self.fit or self.companions or Signature((), {}, "")

    @property
    def settings(self) -> dict[str, Setting]:
        """Every setting of the component, of both its functions."""
        return {**self.second.settings, **self.call.settings}

    @property
    def data(self) -> tuple[str, ...]:
        """Every data name of the component, of both its functions."""
        return (*self.call.data, *self.second.data)


def names(folder: str) -> tuple[str, ...]:
    """Return the names of all components of a folder, sorted."""
    package, *others = plugins.places(PACKAGE)
    added = [name for place in others for name in _names_in(place / folder)]
    own = _own_names(package / plugins.place_of(folder))
    return tuple(sorted([*own, *added])) if added else own


def _names_in(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.glob("*.py") if not path.stem.startswith("_"))


@cache  # files of the package do not change while it runs; those of plugins do
def _own_names(folder: Path) -> tuple[str, ...]:
    return tuple(_names_in(folder))


def component(folder: str, name: str) -> Component:
    """Return one component, from the package or a plugin folder.

    Raises:
        KeyError: there is no such file.
        ComponentError: the file breaks the rules of components.
    """
    path = plugins.located(f"{plugins.place_of(folder)}/{name}.py", PACKAGE)
    if path is None:
        raise KeyError(f"{folder}/{name}")
    return _component(folder, name, path, path.stat().st_mtime_ns)


@cache
def _component(folder: str, name: str, path: Path, time: int) -> Component:
    """Return the component in a file; `time` makes the cache forget a file that changed."""
    call = read_signature(path, name)
    if call is None:
        raise ComponentError(f"{folder}/{name}.py has no function or class called {name}")
    fit = read_signature(path, "fit") if folder == "detectors" else None
    companions = read_signature(path, "companions") if folder == "training" else None
    metrics = read_words(path, "METRICS") if folder == "evaluations" else ()
    result = Component(folder, name, path, call, fit, companions, metrics)
    for data in result.data:
        if data.removeprefix("fit_").removeprefix("anomalous_").removeprefix("calibration_") not in DATA_NAMES:
            raise ComponentError(
                f"{folder}/{name}.py: {data} comes before the star, where only data may: {', '.join(sorted(DATA_NAMES))}"
            )
    return result


def used(use: str) -> Component:
    """Return a component by "folder/name", as resolved settings name it; raises as `component` does."""
    folder, name = use.split("/")
    return component(folder, name)


def load(use: str) -> Callable[..., Any]:
    """Import a component by "folder/name" and return its function or class."""
    return _load(use, use.partition("/")[2])


def load_fit(use: str) -> Callable[..., Any]:
    """Import a detector by "detectors/name" and return its function `fit`."""
    return _load(use, "fit")


def load_companions(use: str) -> Callable[..., Any]:
    """Import an objective by "training/name" and return its function `companions`."""
    return _load(use, "companions")


def _load(use: str, name: str) -> Callable[..., Any]:
    plugins.refresh()
    module = importlib.import_module(plugins.module_of(use))
    function: Callable[..., Any] = getattr(module, name)
    return function
