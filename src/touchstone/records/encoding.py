"""The bytes of artefacts: safetensors, CSV and JSON, written and read back."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save

from touchstone.records.nouns import KINDS, METRIC_COLUMNS, Array, ContractError, Metrics, Noun, canonical_json

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
    """Return the noun's bytes: the same for equal content, on every machine.

    Metrics are CSV, so that people and DVC can read them; everything else is safetensors with exactly one metadata
    key (with several, their order changes from process to process).
    """
    if isinstance(noun, Metrics):
        text = io.StringIO()
        writer = csv.DictWriter(text, METRIC_COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows({k: repr(v) if isinstance(v, float) else v for k, v in row.items()} for row in noun.rows)
        return text.getvalue().encode()
    arrays, rest = _split(noun)
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    return save(arrays, metadata={METADATA_KEY: canonical_json(rest)})


def decode(data: bytes, kind: type | None = None) -> Any:
    """Return the noun in `data`; DamagedFile where the bytes are not a whole noun of that kind."""
    if kind is Metrics:
        return _decode_metrics(data)
    try:
        arrays = load_tensors(data)
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        rest = json.loads(header["__metadata__"][METADATA_KEY])
        found = KINDS[rest.pop("kind")]
        for name in rest.pop("nested"):
            rest[name] = {key[len(name) + 1 :]: array for key, array in arrays.items() if key.startswith(name + ".")}
            arrays = {key: array for key, array in arrays.items() if not key.startswith(name + ".")}
        for name in ("input_shape", "mean", "std"):
            if name in rest:
                rest[name] = tuple(rest[name])
        noun = found(**arrays, **rest)
    except (SafetensorError, KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError) as error:
        raise DamagedFile(f"not a whole artefact ({type(error).__name__}: {error})") from error
    if kind is not None and found is not kind:
        raise DamagedFile(f"holds {found.__name__}, expected {kind.__name__}")
    return noun


def _decode_metrics(data: bytes) -> Metrics:
    numbers = {"value": float, "low": float, "high": float, "n": int, "base_rate": float, "seed": int}
    try:
        reader = csv.DictReader(io.StringIO(data.decode()))
        if tuple(reader.fieldnames or ()) != METRIC_COLUMNS:
            raise ContractError(f"columns are {reader.fieldnames}")
        rows = [
            {k: (numbers[k](v) if v != "" else None) if k in numbers else v for k, v in row.items()} for row in reader
        ]
        return Metrics(rows)
    except (UnicodeDecodeError, ValueError, TypeError, csv.Error) as error:
        raise DamagedFile(f"not a whole metrics table ({error})") from error
