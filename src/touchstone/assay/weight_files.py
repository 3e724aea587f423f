"""Other people's weights: safetensors, and state dicts saved by torch, read as data."""

from __future__ import annotations

import pickle
import pickletools
import re
import warnings
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

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
SAVE = "Save only the weights, torch.save(model.state_dict(), FILE)"
NAME = ", and name the network: --architecture module:function"
SAVED = (b"PK\3\4", b"\x80\x02\x8a\x0a")  # how a file of torch.save begins, in its two formats
PICKLED = b"\x80"  # how other pickles begin
CODE = ("GLOBAL", "STACK_GLOBAL", "INST")  # opcodes of a pickle that name a function or a class


def read_weights(path: Path, is_named: bool = False) -> dict[str, dict[str, Tensor]]:
    """Return the state dicts in a file by what they are stored under, such as "model"; "" for the file itself.

    A file of torch.save is read with torch's weights_only: tensors and plain containers. What would run code is refused.

    Args:
        path: the file.
        is_named: whether the user has named the network whose weights they are.

    Raises:
        DamagedFile: the file is not whole, holds more than weights or none; the message says what to do.
    """
    advice = SAVE if is_named else SAVE + NAME
    if path.suffix == ".safetensors":
        with path.open("rb") as stream:
            start = stream.read(8 + size_limits.LARGEST_HEADER)
        if start[8:9] != b"{":
            raise DamagedFile(f"{path} is no safetensors file, although its name says so. {advice}")
        if problem := size_limits.problem_of_header(start):
            raise DamagedFile(f"{path}: {problem}")
        try:
            return {"": dict(load_file(path))}
        except (SafetensorError, OSError, *NOT_WHOLE) as error:
            raise DamagedFile(f"{path}: not a whole safetensors file ({first_line(error)})") from error
    try:
        _check_size(path)
        with warnings.catch_warnings(action="ignore"):  # of a pickle by others it asks for an issue about torch
            content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, OSError, *NOT_WHOLE) as error:
        raise DamagedFile(f"{path} {_problem(path, error)}. {advice}") from error
    states = _states(dict(_places(content, path)))
    if not states:
        raise DamagedFile(f"{path}: contains no state dict. {advice}")
    for name, value in ((name, value) for state in states.values() for name, value in state.items()):
        plain = value.layout is torch.strided and value.device.type == "cpu" and not value.is_quantized
        if not plain or value.is_nested or value.nbytes > value.untyped_storage().nbytes():  # one number, repeated
            raise DamagedFile(f"{path}: {name} is no plain array. {advice}")
    return states


def _problem(path: Path, error: Exception) -> str:
    """Return why torch did not open a file: it holds code, is damaged, or is something else. Nothing in it is run."""
    with path.open("rb") as stream:
        start = stream.read(4)
        stream.seek(0)
        named = re.search(r"GLOBAL (\S+)", str(error))
        if named or (start[:1] == PICKLED and start not in SAVED and _names_code(stream)):
            what = f" ({named[1]})" if named else ""
            return f"contains code{what}, not only weights; it was not run"
    return "is a damaged file of torch.save; copy it again" if start in SAVED else "is no file of torch.save"


def _names_code(stream: IO[bytes]) -> bool:
    """Return whether a pickle names functions or classes, by its opcodes."""
    with suppress(ValueError):  # it is damaged
        return any(opcode.name in CODE for opcode, _, _ in pickletools.genops(stream))
    return False


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
