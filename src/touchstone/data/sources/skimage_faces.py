"""One hundred faces of 25x25 pixels, bundled with scikit-image.

Origin: `skimage.data.lfw_subset`, taken from Labeled Faces in the Wild (Huang et al. 2012, University of
Massachusetts). Licence: LFW states none; its photographs are news pictures whose rights stay with their owners, and it
is offered for research. The subset comes with scikit-image (BSD-3-Clause).
"""

from __future__ import annotations

from pathlib import Path

from touchstone.data.ingest.raw_files import package_file

FACES = 100  # the other 100 images of lfw_subset are backgrounds


def skimage_faces(folder: Path) -> None:
    """Write faces.npy into `folder`: (100, 25, 25) float64 gray values in [0, 1]."""
    import numpy as np

    subset = np.load(package_file("skimage", "data/lfw_subset.npy"), allow_pickle=False)
    np.save(folder / "faces.npy", subset[:FACES].astype("<f8"), allow_pickle=False)
