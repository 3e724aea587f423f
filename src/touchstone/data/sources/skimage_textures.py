"""scikit-image's three texture photographs, bundled with the package: a brick wall, grass, gravel.

Origin: brick and gravel from cc0textures.com (Bricks25, Gravel04), grass from deviantart.com/linolafett (Grass 01),
cropped and turned gray by scikit-image. Licence: CC0 1.0.
"""

from __future__ import annotations

from pathlib import Path

from touchstone.data.ingest.raw_files import package_file


def skimage_textures(folder: Path) -> None:
    """Write brick.png, grass.png and gravel.png into `folder`, 512x512 gray, as in the package."""
    for name in ("brick.png", "grass.png", "gravel.png"):
        (folder / name).write_bytes(package_file("skimage", f"data/{name}").read_bytes())
