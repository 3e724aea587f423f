"""The bytes of artefacts: safetensors with one metadata key."""

from __future__ import annotations

import json
import struct
import zipfile
import zlib
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save

from touchstone.digests import canonical
from touchstone.records.damage import DamagedFile
from touchstone.records.nouns import KINDS, Array, LeftOut, LeftOutError, Noun

METADATA_KEY = "touchstone"
_UNREADABLE = (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError)  # what damaged bytes raise
# What zipfile and the readers of an archive's files raise if it was forged or truncated.
NOT_WHOLE = (
    *(
        ValueError,
        KeyError,
        TypeError,
        IndexError,
        AttributeError,
        ArithmeticError,
        EOFError,
        MemoryError,
        RuntimeError,
    ),
    *(RecursionError, NotImplementedError, struct.error, zlib.error, zipfile.BadZipFile),
)


def _split(noun: Noun) -> tuple[dict[str, Array], dict[str, Any]]:
    """Return the noun's arrays, nested ones as `field.key`, and everything else."""
    arrays: dict[str, Array] = {}
    rest: dict[str, Any] = {"kind": type(noun).__name__, "nested": []}
    for name, value in vars(noun).items():
        if isinstance(value, np.ndarray):
            arrays[name] = value
        elif isinstance(value, dict) and (value and all(isinstance(v, np.ndarray) for v in value.values())):
            rest["nested"].append(name)
            arrays |= {f"{name}.{key}": array for key, array in value.items()}
        else:
            rest[name] = value
    rest = {name: value for name, value in rest.items() if value is not None}
    return arrays, rest


def encode(noun: Noun) -> bytes:
    """Return the noun's bytes: equal for equal content, on every machine.

    They are safetensors with exactly one metadata key, because the order of several keys changes from process to process.
    Metrics are CSV instead, see `metric_tables`.
    """
    arrays, rest = _split(noun)
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    return save(arrays, metadata={METADATA_KEY: canonical(rest)})


def decode(data: bytes, kind: type | None = None) -> Any:
    """Return the noun in `data`.

    Raises:
        DamagedFile: the bytes are not a complete noun of that kind.
        LeftOutError: the noun was left out.
    """
    try:
        arrays = load_tensors(data)  # checks every size in the header against the bytes that are there
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        rest = json.loads(header.pop("__metadata__")[METADATA_KEY])
        noun = _joined({name: arrays[name] for name in header}, rest)  # safetensors returns them in a random order
    except (SafetensorError, *_UNREADABLE) as error:
        raise DamagedFile(f"not a whole artefact ({type(error).__name__}: {error})") from error
    if kind is not None and isinstance(noun, LeftOut) and kind is not LeftOut:
        raise LeftOutError(noun.reason)
    if kind is not None and type(noun) is not kind:
        raise DamagedFile(f"holds {type(noun).__name__}, expected {kind.__name__}")
    return noun


def _joined(arrays: dict[str, Array], rest: dict[str, Any]) -> Any:
    """Return the noun that `_split` took apart; one of `_UNREADABLE` if there is none."""
    arrays, rest = {**arrays}, {**rest}
    noun_type = KINDS[rest.pop("kind")]
    for name in rest.pop("nested"):
        prefix = name + "."
        rest[name] = {key.removeprefix(prefix): arrays.pop(key) for key in list(arrays) if key.startswith(prefix)}
    for name in ("input_shape", "mean", "std"):
        if name in rest:
            rest[name] = tuple(rest[name])
    return noun_type(**arrays, **rest)
