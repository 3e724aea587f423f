"""A noun's file in pieces: writing and reading it takes no second copy of its arrays."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import IO, Any

import numpy as np

from touchstone.records.encoding import METADATA_KEY, UNREADABLE, DamagedFile, encode, expected, joined
from touchstone.records.nouns import Array, Noun

PIECE = 1 << 20  # bytes that are read at a time
DTYPES = {
    **{"BOOL": "?", "U8": "u1", "I8": "i1", "U16": "<u2", "I16": "<i2", "F16": "<f2", "U32": "<u4", "I32": "<i4"},
    **{"F32": "<f4", "U64": "<u8", "I64": "<i8", "F64": "<f8"},
}


def encoded(noun: Noun) -> Iterator[bytes | memoryview]:
    """Yield the bytes that `encode` returns for a noun with arrays, without copying them.

    `encode` decides on all but the arrays' sizes: it encodes the noun with empty arrays.
    """
    arrays: dict[str, Array] = {}
    empty = copy.copy(noun)  # is not checked again
    for name, value in vars(noun).items():
        if isinstance(value, np.ndarray):
            arrays[name], vars(empty)[name] = value, _emptied(value)
        elif isinstance(value, dict) and all(isinstance(item, np.ndarray) for item in value.values()):
            arrays |= {f"{name}.{key}": array for key, array in value.items()}
            vars(empty)[name] = {key: _emptied(array) for key, array in value.items()}
    data = encode(empty)
    header, place = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")]), 0
    order = [name for name in header if name != "__metadata__"]
    for name in order:
        size = arrays[name].nbytes
        header[name] |= {"shape": list(arrays[name].shape), "data_offsets": [place, place + size]}
        place += size
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)  # safetensors' own padding
    yield len(text).to_bytes(8, "little") + text
    for name in order:
        yield np.ascontiguousarray(arrays[name]).reshape(-1).view(np.uint8).data


def _emptied(array: Array) -> Array:
    return np.empty(0, array.dtype)


def read(stream: IO[bytes], size: int, kind: type) -> Any:
    """Return the noun in a stream, as `decode` returns it for the stream's bytes.

    Args:
        stream: at the noun's first byte.
        size: of the noun in bytes.
        kind: the type that is expected.

    Raises:
        DamagedFile: the bytes are not a complete noun of that kind.
        LeftOutError: the noun was left out.
    """
    try:
        count = int.from_bytes(stream.read(8), "little")
        header = json.loads(stream.read(min(count, size)))
        rest = json.loads(header.pop("__metadata__")[METADATA_KEY])
        noun = joined(_arrays(stream, header, size - 8 - count), rest)
    except UNREADABLE as error:
        raise DamagedFile(f"not a whole artefact ({type(error).__name__}: {error})") from error
    return expected(noun, kind)


def _arrays(stream: IO[bytes], header: dict[str, Any], size: int) -> dict[str, Array]:
    """Return the arrays that follow a header; ValueError unless they are exactly the `size` bytes that are left."""
    place, arrays = 0, {}
    for name, facts in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        dtype, shape = np.dtype(DTYPES[facts["dtype"]]), facts["shape"]
        length = dtype.itemsize
        for side in shape:
            length *= side
        if facts["data_offsets"] != [place, place + length] or not 0 <= length <= size - place:
            raise ValueError(f"{name}: {facts['data_offsets']} are not the bytes of {shape} {facts['dtype']}")
        array = np.empty(shape, dtype)
        _fill(array.reshape(-1).view(np.uint8).data, stream, name)
        arrays[name], place = array, place + length
    if place != size:
        raise ValueError(f"{size} bytes of arrays, expected {place}")
    return arrays


def _fill(target: memoryview, stream: IO[bytes], name: str) -> None:
    place = 0
    while place < len(target):
        piece = stream.read(min(PIECE, len(target) - place))
        if not piece:
            raise ValueError(f"ends within {name}")
        target[place : place + len(piece)] = piece
        place += len(piece)
