"""The bytes of artefacts: safetensors with one metadata key, and CSV for metrics."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save

from touchstone.digests import canonical
from touchstone.records.metric_rows import METRIC_COLUMNS, cells_of, row_of
from touchstone.records.nouns import KINDS, Array, ContractError, Metrics, Noun

METADATA_KEY = "touchstone"


class DamagedFile(ValueError):
    """Bytes that are not a whole, readable noun."""


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

    Metrics are CSV, so that people and DVC can read them. Everything else is safetensors with exactly one metadata key,
    because the order of several keys changes from process to process.
    """
    if isinstance(noun, Metrics):
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(METRIC_COLUMNS)
        writer.writerows(map(cells_of, noun.rows))
        return text.getvalue().encode()
    arrays, rest = _split(noun)
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    return save(arrays, metadata={METADATA_KEY: canonical(rest)})


def decode(data: bytes, kind: type | None = None) -> Any:
    """Return the noun in `data`; DamagedFile if the bytes are not a complete noun of that kind."""
    if kind is Metrics:
        return _decode_metrics(data)
    try:
        arrays = load_tensors(data)
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        rest = json.loads(header["__metadata__"][METADATA_KEY])
        noun_type = KINDS[rest.pop("kind")]
        for name in rest.pop("nested"):
            rest[name] = {key[len(name) + 1 :]: array for key, array in arrays.items() if key.startswith(name + ".")}
            arrays = {key: array for key, array in arrays.items() if not key.startswith(name + ".")}
        for name in ("input_shape", "mean", "std"):
            if name in rest:
                rest[name] = tuple(rest[name])
        noun = noun_type(**arrays, **rest)
    except (SafetensorError, KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError) as error:
        raise DamagedFile(f"not a whole artefact ({type(error).__name__}: {error})") from error
    if kind is not None and noun_type is not kind:
        raise DamagedFile(f"holds {noun_type.__name__}, expected {kind.__name__}")
    return noun


def _decode_metrics(data: bytes) -> Metrics:
    try:
        header, *lines = csv.reader(io.StringIO(data.decode()))
        if tuple(header) != METRIC_COLUMNS:
            raise ContractError(f"columns are {header}")
        return Metrics([row_of(cells) for cells in lines])
    except (UnicodeDecodeError, ValueError, TypeError, csv.Error) as error:
        raise DamagedFile(f"not a whole metrics table ({error})") from error
