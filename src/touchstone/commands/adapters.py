"""`touchstone new KIND NAME --from LIBRARY.CLASS`: an attack of torchattacks or a detector of pytorch-ood as a plugin.

Its settings are those of the class, so that a study's are checked before any job starts; its version stands in the code, so
that another one makes other files.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import types
from difflib import get_close_matches
from importlib.metadata import version
from typing import Any, Union, get_args, get_origin

from touchstone.third_party import PACKAGES

MODULES = {"attacks": "torchattacks", "detectors": "pytorch_ood"}
OURS = ("seed", "verbose", "n_classes")  # what the adapter itself gives
ATTACK = '''"""{cls} of torchattacks {version}."""

from __future__ import annotations

from torch import Tensor

from touchstone.contracts import Model
from touchstone.numerics.tensors import Draws
from touchstone.third_party import attacked
{budget}

def {name}({head}) -> Tensor:
    """Return what {cls} of torchattacks makes of each image, in [0, 1]; labels are the true classes."""
    return attacked({call})
'''
NO_BUDGET = """
BUDGET = None  # it has no eps that bounds every pixel
"""
DETECTOR = '''"""{cls} of pytorch-ood {version}."""

from __future__ import annotations

from torch import Tensor

from touchstone.third_party import scored


def {name}({head}) -> Tensor:
    """Return the score of each row by {cls} of pytorch-ood, (N,); higher is more anomalous."""
    return scored({call})
'''
FITTED = '''"""{cls} of pytorch-ood {version}."""

from __future__ import annotations

from torch import Tensor

from touchstone.third_party import fitted, scored


def fit({fit_head}) -> dict[str, Tensor]:
    """Return what {cls} of pytorch-ood keeps of the rows that it is fitted on."""
    return fitted({fit_call})


def {name}({head}) -> Tensor:
    """Return the score of each row by {cls} of pytorch-ood, (N,); higher is more anomalous."""
    return scored({call})
'''


def adapter(kind: str, name: str, origin: str) -> str:
    """Return the source of a component that passes its work on to a class of another library.

    kind: attacks or detectors. origin: "torchattacks.PGD", "pytorch_ood.MaxLogit". ValueError where the library is none
    of the two or not installed, where it has no such class, and where the class needs what touchstone cannot give it.
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
        close = get_close_matches(cls.lower(), [known.lower() for known in classes], 1)
        hint = next((f" Did you mean {known}?" for known in classes if close and known.lower() == close[0]), "")
        raise ValueError(f"--from {origin}: {package} has no {cls}; it has {', '.join(classes)}.{hint}")
    written = _attack if kind == "attacks" else _detector
    return written(name, cls, classes[cls], version(package), origin)


def _classes(module: str) -> dict[str, Any]:
    library = importlib.import_module("pytorch_ood.detector" if module == "pytorch_ood" else module)
    base = (
        importlib.import_module("pytorch_ood.api").Detector
        if module == "pytorch_ood"
        else importlib.import_module("torchattacks.attack").Attack
    )
    found = {key: value for key, value in vars(library).items() if inspect.isclass(value) and issubclass(value, base)}
    return dict(sorted(found.items()))


def _settings(cls: Any, origin: str) -> dict[str, str]:
    """Return the settings of a class as parameters, "eps: float = 0.1", by name; the network comes first and is none."""
    found = {}
    network, *parameters = inspect.signature(cls).parameters.values()
    if network.name not in ("model", "encoder"):
        raise ValueError(f"--from {origin}: it needs {network.name}, which touchstone cannot give it")
    for parameter in parameters:
        named = parameter.kind is parameter.POSITIONAL_OR_KEYWORD
        if parameter.name in OURS or not named:
            continue
        kind = _kind(parameter)
        if kind is not None:
            found[parameter.name] = f"{parameter.name}: {kind} = {parameter.default!r}"
        elif parameter.default is parameter.empty:
            raise ValueError(f"--from {origin}: it needs {parameter.name}, which touchstone cannot give it")
    return found


def _kind(parameter: inspect.Parameter) -> str | None:
    """Return the type of a setting as the registry reads it: float, int | None; None where it is none of these."""
    if parameter.default is parameter.empty:
        return None
    given = parameter.annotation
    options = get_args(given) if get_origin(given) in (Union, types.UnionType) else (given,)
    plain = [option for option in options if option in (int, float, bool, str)]
    if not plain and type(parameter.default) in (int, float, bool, str):
        plain = [type(parameter.default)]
    if not plain:
        return None
    return str(plain[0].__name__) + (" | None" if parameter.default is None else "")


def _call(cls: str, number: str, data: tuple[str, ...], settings: dict[str, str]) -> str:
    passed = [f"{name}={name}" for name in settings]
    return _joined([f'"{cls}"', f'"{number}"', *data, *passed], 4)


def _head(data: tuple[str, ...], settings: dict[str, str]) -> str:
    return _joined([*data, *(["*", *settings.values()] if settings else [])], 0)


def _joined(parts: list[str], indent: int) -> str:
    """Return what stands between parentheses: in one line where it fits, else one part per line."""
    line, start = ", ".join(parts), "\n" + " " * indent
    return line if len(line) < 70 else "".join(f"{start}    {part}," for part in parts) + start


def _attack(name: str, cls: str, found: Any, number: str, origin: str) -> str:
    settings = _settings(found, origin)
    data = ("model: Model", "images: Tensor", "labels: Tensor", "generator: Draws")
    return ATTACK.format(
        name=name,
        cls=cls,
        version=number,
        budget="" if "eps" in settings else NO_BUDGET,
        head=_head(data, settings),
        call=_call(cls, number, ("model", "images", "labels", "generator"), settings),
    )


def _detector(name: str, cls: str, found: Any, number: str, origin: str) -> str:
    rows = next(
        (
            rows
            for rows, method in (("logits", "predict_logits"), ("features", "predict_features"))
            if hasattr(found, method)
        ),
        None,
    )
    if rows is None:
        raise ValueError(f"--from {origin}: it reads the network itself; expected one that reads logits or features")
    settings = _settings(found, origin)
    if not found.requires_fit:
        head, call = _head((f"{rows}: Tensor",), settings), _call(cls, number, (rows,), settings)
        return DETECTOR.format(name=name, cls=cls, version=number, head=head, call=call)
    return FITTED.format(
        name=name,
        cls=cls,
        version=number,
        head=_head((f"{rows}: Tensor", "state: dict[str, Tensor]"), settings),
        call=_call(cls, number, (rows, "state"), settings),
        fit_head=_head((f"fit_{rows}: Tensor", "fit_labels: Tensor"), settings),
        fit_call=_call(cls, number, (f"fit_{rows}", "fit_labels"), settings),
    )
