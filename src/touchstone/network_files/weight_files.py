"""Other people's weights: safetensors, and state dicts saved by torch, read as data.

A state dict is a pickle. torch's reader runs no code in it, but a hostile one can take hours or all memory. So it is
read in a process of its own.
"""

from __future__ import annotations

import pickle
import sys
import tempfile
import zipfile
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

WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "last")  # `last` and `best`: Andriushchenko 2020
SECONDS = 300
RISK = "a pickle runs whatever code its author put into it, with your rights, the moment it is opened"


def tensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors in a safetensors file; DamagedFile if it is not whole."""
    try:
        return dict(load_file(path))
    except (SafetensorError, OSError, *NOT_WHOLE) as error:
        raise DamagedFile(f"{path}: not a whole safetensors file ({first_line(error)})") from error


def unpickled(path: Path, trust_code: bool) -> Any:
    """Return the state dict in a file, read as data.

    With `trust_code` also a pickled module.

    Raises:
        ValueError: The file has neither, or cannot be unpickled; the message says what to do.
    """
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "weights.safetensors"
        try:
            confined(f"{__name__}:plain_weights", path, plain, seconds=SECONDS)
            return tensors(plain)
        except ValueError:
            if not trust_code:
                raise
    sys.path.insert(0, str(Path.cwd()))
    try:
        content = _unwrapped(torch.load(path, map_location="cpu", weights_only=False))
    except (AttributeError, ImportError) as error:
        raise ValueError(
            f"{path}: the code of a class in it cannot be imported ({first_line(error)}). Save only the weights,"
            " torch.save(model.state_dict(), FILE), and pass --architecture module:function, which returns the network."
            f" Or {EXPORT}"
        ) from error
    except Exception as error:  # the code in a pickle may raise anything
        raise ValueError(f"{path}: cannot be unpickled ({first_line(error)}); {EXPORT}") from error
    if isinstance(content, nn.Module) or _is_state(content):
        return content
    raise ValueError(f"{path}: contains neither a network nor a state dict; {EXPORT}")


def plain_weights(path: Path, target: Path) -> None:
    """Write the state dict in a torch file to a safetensors file.

    ValueError if the file has anything else.
    """
    if zipfile.is_zipfile(path):
        with opened(path):
            pass  # checks that it does not unpack to more than its size
    with path.open("rb") as stream:
        if not stream.read(2).startswith((b"PK", b"\x80")):
            raise ValueError(f"{path} is no file of torch.save; {EXPORT}")
    try:
        state = _unwrapped(torch.load(path, map_location="cpu", weights_only=True))
    except (pickle.UnpicklingError, OSError, *NOT_WHOLE) as error:
        raise ValueError(
            f"{path} is damaged or contains more than weights, so opening it means running a pickle: {RISK}. If the file is"
            f" your own, --trust-code opens it; better, {EXPORT}"
        ) from error
    if not _is_state(state):
        raise ValueError(f"{path}: contains neither a network nor a state dict; {EXPORT}")
    if sum(values.numel() * values.element_size() for values in state.values()) > path.stat().st_size + SPREAD:
        raise ValueError(f"{path}: its weights are larger than the file that should hold them")
    try:
        save_file({str(name): values.detach().clone().contiguous() for name, values in state.items()}, target)
    except NOT_WHOLE as error:
        raise ValueError(f"{path}: its weights are no plain arrays ({first_line(error)})") from error


def _unwrapped(content: Any) -> Any:
    for name in WRAPPERS:
        if isinstance(content, dict) and isinstance(content.get(name), dict | nn.Module):
            content = content[name]
    return content


def _is_state(content: Any) -> bool:
    return isinstance(content, dict) and bool(content) and all(isinstance(value, Tensor) for value in content.values())
