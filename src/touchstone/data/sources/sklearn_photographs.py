"""scikit-learn's two sample photographs, bundled with the package: a Chinese temple and a flower.

Origin: china.jpg from flickr.com/photos/danielbuechele/6061409035, flower.jpg from
flickr.com/photos/vultilion/6056698931, retrieved in 2011 for scikit-learn. Licence: CC BY 2.0, attribution to
danielbuechele and vultilion.
"""

from __future__ import annotations

from pathlib import Path

from touchstone.data.ingest.raw_files import package_file


def sklearn_photographs(folder: Path) -> None:
    """Write china.jpg and flower.jpg into `folder`, 640x427 RGB, as in the package."""
    for name in ("china.jpg", "flower.jpg"):
        (folder / name).write_bytes(package_file("sklearn", f"datasets/images/{name}").read_bytes())
