"""The weights in a RobustBench checkpoint: a torch file that holds a state dict, read as data and never as code."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from touchstone.ingest.raw_files import read_bytes
from touchstone.messages import first_line
from touchstone.records.encoding import DamagedFile
from touchstone.records.nouns import Array

WRAPPERS = ("state_dict", "model_state_dict")  # where some files keep it
PREFIXES = ("module.", "model.")  # what DataParallel and wrapped networks put before every name, in this order


def robustbench(folder: Path, *, file: str = "weights.pt", choose: str | None = None) -> dict[str, Array]:
    """Return {name: array} of the state dict in `folder`/`file`, without the prefixes of its wrappers.

    `choose` takes one of several state dicts, as "last" of Andriushchenko 2020. The file is unpickled with torch's
    weights_only: tensors and plain containers; whatever would run code is refused. DamagedFile says what is wrong.
    """
    path = folder / file
    read_bytes(path)
    try:
        found: Any = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise DamagedFile(f"{path}: not a file of plain weights ({first_line(error)})") from error
    if choose is not None:
        found = found.get(choose) if isinstance(found, dict) else None
    for name in WRAPPERS:
        if isinstance(found, dict) and isinstance(found.get(name), dict):
            found = found[name]
    if not isinstance(found, dict) or not found or not all(isinstance(value, Tensor) for value in found.values()):
        raise DamagedFile(f"{path}: holds no state dict" + (f" called {choose}" if choose else ""))
    weights = {str(name): value for name, value in found.items()}
    for prefix in PREFIXES:
        if all(name.startswith(prefix) for name in weights):
            weights = {name.removeprefix(prefix): value for name, value in weights.items()}
    return {name: weights[name].numpy().copy() for name in sorted(weights)}
