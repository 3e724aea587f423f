"""Parts of a noun's file by rows: cutting and joining sets without reading one into memory as a whole."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from touchstone.digests import canonical
from touchstone.records.encoding import METADATA_KEY, DamagedFile
from touchstone.records.nouns import LeftOut, LeftOutError

PIECE = 1 << 24  # bytes that are in memory at a time


@dataclass(frozen=True)
class Rows:
    """A noun's file by its header, without its arrays. Every array has one row per example.

    Attributes:
        arrays: {name: dtype, shape, data_offsets}, as in the file's header and in its order.
        about: everything but the arrays: the kind, the source, the notes.
        start: the offset of the first array's bytes.
    """

    path: Path
    arrays: dict[str, dict[str, Any]]
    about: dict[str, Any]
    start: int

    @classmethod
    def at(cls, path: Path) -> Rows:
        """Return what the header of a file says.

        Raises:
            DamagedFile: It is not a noun whose arrays have equally many rows.
            LeftOutError: The noun was left out.
        """
        with path.open("rb") as stream:
            size = int.from_bytes(stream.read(8), "little")
            try:
                arrays = json.loads(stream.read(size))
                about = json.loads(arrays.pop("__metadata__")[METADATA_KEY])
                counts = {array["shape"][0] for array in arrays.values()}
            except (ValueError, KeyError, IndexError, TypeError) as error:
                raise DamagedFile(f"{path}: not a whole artefact ({type(error).__name__}: {error})") from error
        if about.get("kind") == LeftOut.__name__:
            raise LeftOutError(about["reason"])
        if len(counts) != 1:
            raise DamagedFile(f"{path}: its arrays have {sorted(counts)} rows, so its rows are no examples")
        return cls(path, arrays, about, 8 + size)

    def __len__(self) -> int:
        return int(next(iter(self.arrays.values()))["shape"][0])

    def values(self, name: str, first: int, last: int) -> Iterator[bytes]:
        """Yield the bytes of an array's rows from `first` up to `last`, in pieces."""
        begin, end = self.arrays[name]["data_offsets"]
        row = (end - begin) // len(self)
        left = (last - first) * row
        with self.path.open("rb") as stream:
            stream.seek(self.start + begin + first * row)
            while left:
                piece = stream.read(min(PIECE, left))
                if not piece:
                    raise DamagedFile(f"{self.path}: ends within {name}")
                left -= len(piece)
                yield piece


def joined(parts: Iterable[tuple[Rows, int, int]], about: dict[str, Any]) -> Iterator[bytes]:
    """Yield the bytes of a file with the rows `first` up to `last` of each (file, first, last), in order.

    They are the bytes that `records.encode` gives for the same rows.

    Raises:
        DamagedFile: the files' arrays differ in more than their number of rows.
    """
    parts = list(parts)
    model = parts[0][0]
    for rows, _, _ in parts:
        if _without_counts(rows) != _without_counts(model):
            raise DamagedFile(f"{rows.path}: its arrays are not those of {model.path}")
    count = sum(last - first for _, first, last in parts)
    header: dict[str, Any] = {"__metadata__": {METADATA_KEY: canonical(about)}}
    place = 0
    for name, array in model.arrays.items():
        begin, end = array["data_offsets"]
        size = (end - begin) // len(model) * count
        shape = [count, *array["shape"][1:]]
        header[name] = {"dtype": array["dtype"], "shape": shape, "data_offsets": [place, place + size]}
        place += size
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)  # safetensors' own padding
    yield len(text).to_bytes(8, "little") + text
    for name in model.arrays:
        for rows, first, last in parts:
            yield from rows.values(name, first, last)


def _without_counts(rows: Rows) -> list[tuple[str, str, list[int]]]:
    return [(name, array["dtype"], array["shape"][1:]) for name, array in rows.arrays.items()]
