"""prepare: turn raw files, or another ExampleSet, into an ExampleSet on the 1/255 grid."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from touchstone.data.ingest.pixels import pieces
from touchstone.data.ingest.raw_files import check_folder
from touchstone.records.nouns import ContractError, ExampleSet


def prepare(
    component: Callable[..., ExampleSet],
    data: tuple[str, ...],
    *,
    name: str,
    folder: Path | None = None,
    sha256: str | None = None,
    examples: ExampleSet | None = None,
    seed: int = 0,
) -> ExampleSet:
    """Create an ExampleSet from raw files, from another set, or from random numbers.

    Args:
        component: the function of data/ with its settings bound.
        data: what it takes, in order: "folder", "examples" or "generator".
        name: the name of the component. It is part of the random stream. Otherwise two families of noise would be computed
            from the same random numbers.
        folder: the raw files, if it reads any.
        sha256: the digest of that folder; None if it is not known.
        examples: the set that it derives images from, if any.
        seed: of the random stream.

    Returns:
        The set that the component returns, with images on the 1/255 grid.

    Raises:
        ContractError: the images are off the grid.
        DamagedFile: the digest of the raw folder is not `sha256`.
    """
    if folder is not None and sha256 is not None:
        check_folder(folder, sha256, folder.name)
    key = int.from_bytes(hashlib.sha256(f"{seed}/{name}".encode()).digest()[:8], "little")
    available: dict[str, Any] = {
        "folder": folder,
        "examples": examples,
        "generator": np.random.Generator(np.random.Philox(key)),
    }
    prepared = component(*(available[name] for name in data))
    steps = (prepared.images[rows] * 255 for rows in pieces(prepared.images.shape))
    off_grid = max(np.abs(each - np.round(each)).max() for each in steps)
    if off_grid > 1e-3:
        raise ContractError(f"{prepared.source}: images are off the 1/255 grid by {off_grid:g} steps")
    return prepared
