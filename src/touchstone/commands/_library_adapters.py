"""Plugins that wrap another library: an attack of torchattacks, a detector of pytorch-ood.

A plugin's settings are those of the wrapped class, so that a study's settings are checked before any job starts. The
library's version is part of the plugin's code, so that another version changes the code digest.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import types
from collections.abc import Iterable
from difflib import get_close_matches
from importlib.metadata import version
from typing import Any, Union, get_args, get_origin

from touchstone.commands._templates import rendered
from touchstone.third_party import PACKAGES

MODULES = {"attacks": "torchattacks", "detectors": "pytorch_ood"}
SET_BY_US = ("seed", "verbose", "n_classes")  # settings that touchstone.third_party sets
ONE_LINE = 70  # letters of a parameter list that stays on one line


def adapter(kind: str, name: str, origin: str) -> str:
    """Return the source of a component that wraps a class of another library.

    Args:
        kind: attacks or detectors.
        name: of the component.
        origin: the class, such as "torchattacks.PGD" or "pytorch_ood.MaxLogit".

    Raises:
        ValueError: the library is unknown or not installed, it has no such class, or the class needs data or arguments that
            touchstone cannot pass.
    """
    module, _, cls = origin.replace("pytorch-ood", "pytorch_ood").partition(".")
    cls = cls.removeprefix("detector.")
    if MODULES[kind] != module:
        raise ValueError(f"--from {origin}: {kind} come from {MODULES[kind]}: --from {MODULES[kind]}.CLASS")
    package = PACKAGES[module]
    if importlib.util.find_spec(module) is None:
        raise ValueError(f"--from {origin}: {package} is not installed: .venv/bin/pip install --no-deps {package}")
    classes = _classes(module)
    if cls not in classes:
        close = get_close_matches(cls.lower(), map(str.lower, classes), 1)
        hint = next((f" Did you mean {other}?" for other in classes if close and other.lower() == close[0]), "")
        raise ValueError(f"--from {origin}: {package} has no {cls}; it has {', '.join(classes)}.{hint}")
    values = {"name": name, "cls": cls, "version": version(package), "settings": _settings(classes[cls], origin)}
    return _attack(values) if kind == "attacks" else _detector(values, classes[cls], origin)


def _classes(module: str) -> dict[str, Any]:
    """Return the attacks or detectors of a library by name, sorted."""
    if module == "pytorch_ood":
        library, base = (
            importlib.import_module("pytorch_ood.detector"),
            importlib.import_module("pytorch_ood.api").Detector,
        )
    else:
        library, base = importlib.import_module(module), importlib.import_module("torchattacks.attack").Attack
    classes = {
        name: value for name, value in vars(library).items() if inspect.isclass(value) and issubclass(value, base)
    }
    return dict(sorted(classes.items()))


def _settings(cls: Any, origin: str) -> dict[str, str]:
    """Return a class's settings as parameters, "eps: float = 0.1", by name; its first parameter, the network, is none."""
    settings = {}
    network, *parameters = inspect.signature(cls).parameters.values()
    if network.name not in ("model", "encoder"):
        raise ValueError(f"--from {origin}: it needs {network.name}, which touchstone cannot give it")
    for parameter in parameters:
        if parameter.name in SET_BY_US or parameter.kind is not parameter.POSITIONAL_OR_KEYWORD:
            continue
        kind = _type(parameter)
        if kind is not None:
            settings[parameter.name] = f"{parameter.name}: {kind} = {parameter.default!r}"
        elif parameter.default is parameter.empty:
            raise ValueError(f"--from {origin}: it needs {parameter.name}, which touchstone cannot give it")
    return settings


def _type(parameter: inspect.Parameter) -> str | None:
    """Return a setting's type as the registry reads it, such as "int | None"; None if the registry has no such type."""
    if parameter.default is parameter.empty:
        return None
    annotation = parameter.annotation
    options = get_args(annotation) if get_origin(annotation) in (Union, types.UnionType) else (annotation,)
    plain = [option for option in options if option in (int, float, bool, str)]
    if not plain and type(parameter.default) in (int, float, bool, str):
        plain = [type(parameter.default)]
    if not plain:
        return None
    return str(plain[0].__name__) + (" | None" if parameter.default is None else "")


def _attack(values: dict[str, Any]) -> str:
    settings = values["settings"]
    passed = {name: name for name in settings}
    if "norm" in settings:
        settings["norm"] = 'norm: Literal["linf", "l2"] = "linf"'
        passed["norm"] = '{"linf": "Linf", "l2": "L2"}[norm]'  # how torchattacks spells them
    elif "eps" in settings and values["cls"].endswith("L2"):  # without a norm, touchstone takes eps as L-inf
        settings["norm"] = 'norm: Literal["l2"] = "l2"'
    data = ("model: Model", "images: Tensor", "labels: Tensor", "generator: RandomStreams")
    lists = {
        "parameters": _parameters(data, settings),
        "arguments": _arguments(values, ("model", "images", "labels", "generator"), passed),
    }
    return rendered("library_attack.py", **values, **lists, bounded="eps" in settings, has_norm="norm" in settings)


def _detector(values: dict[str, Any], cls: Any, origin: str) -> str:
    readers = {"logits": "predict_logits", "features": "predict_features"}
    rows = next((rows for rows, method in readers.items() if hasattr(cls, method)), None)
    if rows is None:
        raise ValueError(f"--from {origin}: it reads the network itself; expected one that reads logits or features")
    fitted = cls.requires_fit
    state, state_argument = (("state: dict[str, Tensor]",), ("state",)) if fitted else ((), ())
    fit = (f"fit_{rows}", "fit_labels")
    passed = {name: name for name in values["settings"]}
    lists = {
        "parameters": _parameters((f"{rows}: Tensor", *state), values["settings"]),
        "arguments": _arguments(values, (rows, *state_argument), passed),
        "fit_parameters": _parameters([f"{data}: Tensor" for data in fit], values["settings"]) if fitted else "",
        "fit_arguments": _arguments(values, fit, passed),
    }
    return rendered("library_detector.py", **values, **lists)


def _parameters(data: Iterable[str], settings: dict[str, str]) -> str:
    """Return the parameters of a function: data before the star, settings after it."""
    return _joined([*data, *(["*", *settings.values()] if settings else [])], 0)


def _arguments(values: dict[str, Any], data: Iterable[str], passed: dict[str, str]) -> str:
    """Return the arguments of the call that does the work; `passed` has the value of each of its settings."""
    settings = (f"{name}={value}" for name, value in passed.items())
    return _joined([f'"{values["cls"]}"', f'"{values["version"]}"', *data, *settings], 4)


def _joined(parts: list[str], indent: int) -> str:
    """Return a list as it is written between brackets: on one line if it fits, else one part per line."""
    line, start = ", ".join(parts), "\n" + " " * indent
    return line if len(line) < ONE_LINE else "".join(f"{start}    {part}," for part in parts) + start
