"""A TorchScript file, passed on whole."""

from __future__ import annotations

from pathlib import Path

from touchstone.programs import GRAPH, as_bytes
from touchstone.raw_files import read_bytes
from touchstone.records import Array


def torchscript(folder: Path, *, file: str = "weights.pt") -> dict[str, Array]:
    """Return {"program": bytes} of the TorchScript file `folder`/`file`.

    For `model: {use: torchscript_program}`. DamagedFile where it is missing or empty.
    """
    return {GRAPH: as_bytes(read_bytes(folder / file))}
