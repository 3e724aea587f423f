"""convert: turn a file of someone else's weights into a Checkpoint like any other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from touchstone.contracts import Architecture
from touchstone.data.ingest.raw_files import check_folder
from touchstone.models.networks import checkpoints
from touchstone.records.nouns import Array, Checkpoint


def convert(
    folder: Path,
    *,
    reader: Callable[[Path], dict[str, Array]],
    name: str,
    sha256: str | None,
    architecture: Architecture,
    architecture_settings: dict[str, Any],
    input_shape: Sequence[int],
    classes: int,
    mean: Sequence[float],
    std: Sequence[float],
) -> Checkpoint:
    """Return the Checkpoint of the weights that `reader` finds in the raw `folder`.

    The file must contain exactly the weights of the architecture, by their names and with their shapes. `mean` and `std`,
    one value per channel, normalise the pixels before the network; use 0 and 1 if the network does that itself. If
    `sha256` is None, the folder is not checked.

    Raises:
        DamagedFile: the folder's digest is not `sha256`, or the weights do not fit.
    """
    if sha256 is not None:
        check_folder(folder, sha256, folder.name)
    weights = reader(folder)
    shape = (int(input_shape[0]), int(input_shape[1]), int(input_shape[2]))
    model = checkpoints.build(architecture, shape, classes, mean, std)
    checkpoints.fill(model, weights)
    return Checkpoint(
        weights=checkpoints.weights_of(model),
        architecture=architecture_settings,
        input_shape=shape,
        classes=classes,
        mean=tuple(mean),
        std=tuple(std),
        notes={"read_from": folder.name, "by": name},
    )
