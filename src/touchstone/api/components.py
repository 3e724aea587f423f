"""Components by name, with their settings checked: an attack, a detector or an architecture as one function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from touchstone import extras, registry
from touchstone.messages import nearest
from touchstone.settings import values
from touchstone.signatures import Setting, Signature, Type

CALLED = (
    "adaptive",
    "attacks",
    "detectors",
    "margins",
)  # folders whose components read images, with or without a network


@dataclass(frozen=True)
class BoundComponent:
    """A component with its settings fixed; call it with its data only.

    Attributes:
        use: folder/name of the component, as in a study's `use:`.
        settings: the settings that were given. All others keep their defaults.
        function: the component's function with these settings.
        fit: the detector's `fit` with these settings; None if the detector is not fitted.
        companions: builds the further networks that a training objective needs; None if it needs none.
    """

    use: str
    settings: dict[str, Any]
    function: Callable[..., Any] = field(repr=False)
    fit: Callable[..., Any] | None = field(default=None, repr=False)
    companions: Callable[..., Any] | None = field(default=None, repr=False)

    def __call__(self, *data: Any, **named: Any) -> Any:
        """Call the component's function, such as (model, images, labels, generator) for an attack.

        Images may be an array, or a loader of batches (images, labels), whose labels are then None.
        """
        folder, name = self.use.split("/")
        return _gated(self.use, self.function, registry.component(folder, name).call.data, *data, **named)


def components(folder: str) -> tuple[str, ...]:
    """Return the names of the components in a folder, sorted.

    Args:
        folder: "attacks", "detectors", "models" or another component folder.

    Raises:
        ValueError: If there is no such folder of components.

    >>> "pgd" in components("attacks")
    True
    """
    if folder not in registry.FOLDERS:
        expected = ", ".join(registry.FOLDERS)
        raise ValueError(f"{folder}: no such component folder; expected {expected}.{nearest(folder, registry.FOLDERS)}")
    return registry.names(folder)


def component(use: str, **settings: Any) -> BoundComponent:
    """Return a component with its settings, checked before anything runs.

    Args:
        use: folder/name, such as "attacks/pgd".
        settings: of the component. A setting that is itself a component takes what `component` returns, or any function.

    Returns:
        A function of the component's data: (model, images, labels, generator) for attacks. The `fit` of a fitted detector
        is its attribute `fit`.

    Raises:
        ValueError: If the component or a setting does not exist (with the nearest word), if a value has the wrong type or
            is out of range, or if a required setting is missing.
        ImportError: If the component needs a package that is not installed; the message names the extra.

    >>> component("attacks/pgd", eps="8/255", steps=40)
    BoundComponent(use='attacks/pgd', settings={'eps': 0.03137254901960784, 'steps': 40})
    >>> component("attacks/pgd", epss=8 / 255)
    Traceback (most recent call last):
    ValueError: attacks/pgd: epss: unknown setting; expected ... Did you mean eps?
    """
    folder, _, name = use.partition("/")
    if name not in components(folder):
        options = components(folder)
        raise ValueError(f"{use}: no such component; {folder}/ has {', '.join(options)}.{nearest(name, options)}")
    signature = registry.component(folder, name)
    checked = _checked(use, settings, signature.settings)
    fit, companions = signature.fit, signature.companions
    with extras.explained(use):
        return BoundComponent(
            use,
            checked,
            partial(registry.load(use), **_part(checked, signature.call)),
            None
            if fit is None
            else partial(_gated, use, partial(registry.load_fit(use), **_part(checked, fit)), fit.data),
            None if companions is None else partial(registry.load_companions(use), **_part(checked, companions)),
        )


def _gated(use: str, function: Callable[..., Any], names: Sequence[str], *data: Any, **named: Any) -> Any:
    """Call a component's function, with checked data and a guarded model if it is one that users call themselves."""
    if use.partition("/")[0] not in CALLED or len(data) > len(names):
        return function(*data, **named)
    from touchstone.api import component_gate  # it needs torch

    with component_gate.passed(dict(zip(names, data, strict=False)) | named, names) as given:
        return function(**given)


def _part(settings: dict[str, Any], signature: Signature) -> dict[str, Any]:
    """Return the settings that one function takes: a detector's `fit` and its score may share some."""
    return {name: value for name, value in settings.items() if name in signature.settings}


def _checked(use: str, given: dict[str, Any], settings: dict[str, Setting]) -> dict[str, Any]:
    for name in given:
        if name not in settings:
            expected = f"expected {', '.join(sorted(settings))}" if settings else "it has no settings"
            raise ValueError(f"{use}: {name}: unknown setting; {expected}.{nearest(name, settings)}")
    for name, setting in settings.items():
        if setting.required and name not in given:
            raise ValueError(f"{use}: {name}: required setting, {setting.type}")
    return {name: _value(use, name, value, settings[name].type) for name, value in given.items()}


def _value(use: str, name: str, value: Any, kind: Type) -> Any:
    if value is None and kind.optional:
        return None
    if kind.base == "nested":
        if not callable(value):
            example = f'touchstone.component("{kind.folder}/NAME", ...)'
            raise ValueError(f"{use}: {name}: expected a function, such as {example}, got {values.shown(value)}")
        return value
    if kind.base == "list" and kind.item is not None:
        if not isinstance(value, list | tuple) or not value:
            raise ValueError(f"{use}: {name}: expected {kind}, got {values.shown(value)}")
        return [_value(use, name, item, kind.item) for item in value]
    plain, problem = values.read((name,), value, kind)
    if problem:
        raise ValueError(f"{use}: {name}: {problem}")
    return plain
