"""The weights in a RobustBench checkpoint: a torch file with a state dict, read as data."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from touchstone.data.ingest.raw_files import read_bytes
from touchstone.messages import first_line
from touchstone.records.damage import DamagedFile
from touchstone.records.nouns import Array

WRAPPERS = ("state_dict", "model_state_dict")  # keys under which some files store it
PREFIXES = ("module.", "model.")  # added to every name by DataParallel and wrapped networks, in this order


def robustbench(folder: Path, *, file: str = "weights.pt", choose: str | None = None) -> dict[str, Array]:
    """Return {name: array} of a state dict, without the prefixes of wrapped networks.

    The file is read with torch's weights_only: tensors and plain containers. Anything that would run code is refused.

    Args:
        folder: of the raw files.
        file: in it.
        choose: one of several state dicts, such as "last" in the file of Andriushchenko 2020.

    Raises:
        DamagedFile: If the file has no such state dict, or is not whole.
    """
    path = folder / file
    read_bytes(path)
    try:
        state: Any = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise DamagedFile(f"{path}: not a file of plain weights ({first_line(error)})") from error
    if choose is not None:
        state = state.get(choose) if isinstance(state, dict) else None
    for name in WRAPPERS:
        if isinstance(state, dict) and isinstance(state.get(name), dict):
            state = state[name]
    if not isinstance(state, dict) or not state or not all(isinstance(value, Tensor) for value in state.values()):
        raise DamagedFile(f"{path}: contains no state dict" + (f" called {choose}" if choose else ""))
    weights = {str(name): value for name, value in state.items()}
    for prefix in PREFIXES:
        if all(name.startswith(prefix) for name in weights):
            weights = {name.removeprefix(prefix): value for name, value in weights.items()}
    return {name: _array(weights[name]) for name in sorted(weights)}


def _array(weights: Tensor) -> Any:
    """Return weights as numpy has them, which knows no bfloat16."""
    weights = weights.detach()
    return (weights.float() if weights.dtype == torch.bfloat16 else weights).numpy().copy()
