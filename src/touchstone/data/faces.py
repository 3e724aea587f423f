"""Faces, as an out-of-distribution set."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from touchstone.contracts import PositiveInt
from touchstone.data.ingest.example_notes import no_classes, prepared
from touchstone.data.ingest.pixels import BILINEAR, resized
from touchstone.data.ingest.raw_files import read_array
from touchstone.records.damage import DamagedFile
from touchstone.records.nouns import ExampleSet

FACES, SIDE = 100, 25


def faces(folder: Path, *, size: PositiveInt = 28) -> ExampleSet:
    """Return 100 gray faces (100, 1, size, size), labels -1.

    Bilinearly resized from 25x25. example_ids are rows of faces.npy. DamagedFile if that file is not whole, or if a
    value is outside [0, 1].
    """
    path = folder / "faces.npy"
    values = read_array(path, (FACES, SIDE, SIDE), "<f8")
    if values.min() < 0 or values.max() > 1:
        raise DamagedFile(f"{path}: values lie in [{values.min():g}, {values.max():g}], expected [0, 1]")
    return prepared(
        resized(values, size, size)[:, None],
        no_classes(FACES),
        np.arange(FACES),
        "skimage_faces",
        licence="none stated by LFW; news photographs, offered for research",
        origin="Labeled Faces in the Wild, the 100 faces of lfw_subset, as bundled with scikit-image",
        interpolation=f"25x25 to {size}x{size}, {BILINEAR}",
    )
