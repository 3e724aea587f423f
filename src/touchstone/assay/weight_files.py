"""Other people's weights: safetensors, and state dicts saved by torch, read as data."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from touchstone.messages import first_line
from touchstone.records import size_limits
from touchstone.records.damage import DamagedFile
from touchstone.records.encoding import NOT_WHOLE

DEEPEST = 5  # levels of dicts and lists that are searched for weights
MOST_PLACES = 100_000  # dicts and lists that are searched
SAVE = (
    "Save only the weights, torch.save(model.state_dict(), FILE), and name the network: --architecture module:function"
)


def read_weights(path: Path) -> dict[str, dict[str, Tensor]]:
    """Return the state dicts in a file by what they are stored under, such as "model"; "" for the file itself.

    A file of torch.save is read with torch's weights_only: tensors and plain containers. What would run code is refused.

    Raises:
        DamagedFile: the file is not whole, holds more than weights or none; the message says what to do.
    """
    if path.suffix == ".safetensors":
        with path.open("rb") as stream:
            if problem := size_limits.problem_of_header(stream.read(8 + size_limits.LARGEST_HEADER)):
                raise DamagedFile(f"{path}: {problem}")
        try:
            return {"": dict(load_file(path))}
        except (SafetensorError, OSError, *NOT_WHOLE) as error:
            raise DamagedFile(f"{path}: not a whole safetensors file ({first_line(error)})") from error
    try:
        _check_size(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, OSError, *NOT_WHOLE) as error:
        raise DamagedFile(
            f"{path} is no file of torch.save, is damaged, or contains more than weights, which could run code. {SAVE}"
        ) from error
    states = _states(dict(_places(content, path)))
    if not states:
        raise DamagedFile(f"{path}: contains no state dict. {SAVE}")
    for name, value in ((name, value) for state in states.values() for name, value in state.items()):
        plain = value.layout is torch.strided and value.device.type == "cpu" and not value.is_quantized
        if not plain or value.is_nested or value.nbytes > value.untyped_storage().nbytes():  # one number, repeated
            raise DamagedFile(f"{path}: {name} is no plain array. {SAVE}")
    return states


def _check_size(path: Path) -> None:
    """Raise ValueError for an archive that unpacks to more than its size; torch stores its files uncompressed."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > path.stat().st_size:
                raise ValueError("it would unpack to more than it contains")


def _places(content: Any, path: Path) -> Iterator[tuple[str, Any]]:
    """Yield each dict and list in a file's content by what it is stored under, but for optimisers' states."""
    queue = [(0, "", content)]
    for depth, under, place in queue:  # it grows
        if len(queue) > MOST_PLACES:
            raise DamagedFile(f"{path}: holds more than {MOST_PLACES:,} dicts and lists; save only model.state_dict()")
        yield under, place
        children: Iterable[tuple[Any, Any]] = ()
        if isinstance(place, dict) and "param_groups" not in place:
            children = place.items()
        elif isinstance(place, list | tuple):
            children = enumerate(place)
        if depth < DEEPEST:
            queue += (
                (depth + 1, ".".join(filter(None, (under, str(name)))), child)
                for name, child in children
                if isinstance(child, dict | list | tuple)
            )


def _states(places: dict[str, Any]) -> dict[str, dict[str, Tensor]]:
    """Return the weights in each dict that has any and is no optimiser's state."""
    states = {
        under: {str(name): value for name, value in place.items() if isinstance(value, Tensor)}
        for under, place in places.items()
        if isinstance(place, dict) and "param_groups" not in place
    }
    return {under: state for under, state in states.items() if state}
