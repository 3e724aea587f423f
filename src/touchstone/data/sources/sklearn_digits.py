"""scikit-learn's handwritten digits: 1,797 images of 8x8 pixels, bundled with the package.

Origin: test set of "Optical Recognition of Handwritten Digits", E. Alpaydin and C. Kaynak, 1998, UCI Machine Learning
Repository. Licence: CC BY 4.0 (UCI); the copy comes with scikit-learn (BSD-3-Clause).
"""

from __future__ import annotations

import gzip
from pathlib import Path

from touchstone.data.ingest.raw_files import package_file


def sklearn_digits(folder: Path) -> None:
    """Write digits.csv into `folder`: per line 64 pixel values from 0 to 16, row by row, then the digit."""
    packed = package_file("sklearn", "datasets/data/digits.csv.gz")
    (folder / "digits.csv").write_bytes(gzip.decompress(packed.read_bytes()))
