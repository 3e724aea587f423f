"""Other people's weights: safetensors, and state dicts saved by torch, read as data.

A state dict is a pickle. torch's reader runs no code in it, but a hostile one can take hours or all memory. So it is
read in a process of its own.
"""

from __future__ import annotations

import pickle
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from touchstone.messages import first_line
from touchstone.network_files.confined import confined
from touchstone.network_files.pt2_archive import SPREAD
from touchstone.network_files.zip_archives import NOT_WHOLE, opened
from touchstone.records.encoding import DamagedFile

EXPORT_LINE = (
    "torch.export.save(torch.export.export(model.eval(), (torch.rand(2, CHANNELS, HEIGHT, WIDTH),),"
    " dynamic_shapes=({0: torch.export.Dim('images', min=1)},)), 'model.pt2')"
)
EXPORT = f"export it instead, in the program that created it: {EXPORT_LINE}"

SECONDS = 300
DEEPEST = 5  # levels of dicts and lists that are searched for weights
MOST_PLACES = 100_000  # dicts and lists that are searched
SHARING = 4  # times that a file may hold the same weights, under several names
UNDER = "\n"  # between what weights are stored under and their names
RISK = "a pickle runs whatever code its author put into it, with your rights, the moment it is opened"


def tensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors in a safetensors file; DamagedFile if it is not whole."""
    try:
        return dict(load_file(path))
    except (SafetensorError, OSError, *NOT_WHOLE) as error:
        raise DamagedFile(f"{path}: not a whole safetensors file ({first_line(error)})") from error


def stored(path: Path) -> dict[str, dict[str, Tensor]]:
    """Return the weights that `plain_weights` wrote, by what they are stored under; DamagedFile if it is not whole."""
    states: dict[str, dict[str, Tensor]] = {}
    for name, values in tensors(path).items():
        under, _, own = name.rpartition(UNDER)
        states.setdefault(under, {})[own] = values
    return states


def unpickled(path: Path, trust_code: bool) -> dict[str, Any]:
    """Return the state dicts in a file by what they are stored under, such as "model"; "" for the file itself.

    They are read as data. With `trust_code` the file may hold pickled modules instead.

    Raises:
        ValueError: The file has neither, or cannot be unpickled; the message says what to do.
    """
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "weights.safetensors"
        try:
            confined(f"{__name__}:plain_weights", path, plain, seconds=SECONDS)
            return dict(stored(plain))
        except ValueError:
            if not trust_code:
                raise
    sys.path.insert(0, str(Path.cwd()))
    try:
        content = torch.load(path, map_location="cpu", weights_only=False)
    except (AttributeError, ImportError) as error:
        raise ValueError(
            f"{path}: the code of a class in it cannot be imported ({first_line(error)}). Save only the weights,"
            " torch.save(model.state_dict(), FILE), and pass --architecture module:function, which returns the network."
            f" Or {EXPORT}"
        ) from error
    except Exception as error:  # the code in a pickle may raise anything
        raise ValueError(f"{path}: cannot be unpickled ({first_line(error)}); {EXPORT}") from error
    found = dict(_places(content, path))
    if networks := {under: place for under, place in found.items() if isinstance(place, nn.Module)}:
        return networks
    if states := _states(found):
        return states
    raise ValueError(f"{path}: contains neither a network nor a state dict; {EXPORT}")


def plain_weights(path: Path, target: Path) -> None:
    """Write the state dicts in a torch file to a safetensors file, for `stored` to read.

    ValueError if the file has code, or no state dict.
    """
    if zipfile.is_zipfile(path):
        with opened(path):
            pass  # checks that it does not unpack to more than its size
    with path.open("rb") as stream:
        if not stream.read(2).startswith((b"PK", b"\x80")):
            raise ValueError(f"{path} is no file of torch.save; {EXPORT}")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, OSError, *NOT_WHOLE) as error:
        raise ValueError(
            f"{path} is damaged or contains more than weights, so opening it means running a pickle: {RISK}. If the file is"
            f" your own, --trust-code opens it; better, {EXPORT}"
        ) from error
    states = _states(dict(_places(content, path)))
    if not states:
        raise ValueError(f"{path}: contains neither a network nor a state dict; {EXPORT}")
    named = {UNDER.join(filter(None, (under, name))): v for under, state in states.items() for name, v in state.items()}
    if sum(v.numel() * v.element_size() for v in named.values()) > SHARING * path.stat().st_size + SPREAD:
        raise ValueError(f"{path}: its weights are larger than the file that should hold them")
    try:
        save_file({name: values.detach().clone().contiguous() for name, values in named.items()}, target)
    except NOT_WHOLE as error:
        raise ValueError(f"{path}: its weights are no plain arrays ({first_line(error)})") from error


def _places(content: Any, path: Path) -> Iterator[tuple[str, Any]]:
    """Yield each dict, list and module in a file's content by what it is stored under, but for optimisers' states."""
    queue = [(0, "", content)]
    for depth, under, place in queue:  # it grows
        if len(queue) > MOST_PLACES:
            raise ValueError(f"{path}: holds more than {MOST_PLACES:,} dicts and lists; save only model.state_dict()")
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
                if isinstance(child, dict | list | tuple | nn.Module)
            )


def _states(places: dict[str, Any]) -> dict[str, dict[str, Tensor]]:
    """Return the weights in each dict that has any and is no optimiser's state."""
    states = {
        under: {str(name): value for name, value in place.items() if isinstance(value, Tensor)}
        for under, place in places.items()
        if isinstance(place, dict) and "param_groups" not in place
    }
    return {under: state for under, state in states.items() if state}
