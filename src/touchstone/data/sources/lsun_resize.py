"""10,000 small colour pictures shrunk from LSUN's test set, 32x32, as ODIN published them.

Origin: Yu et al. 2015 (LSUN), by way of Liang, Li and Srikant 2018, github.com/facebookresearch/odin.
Licence: none stated; offered for research. The publisher states no digest; this one is the one that pytorch-ood uses.
"""

from __future__ import annotations

from pathlib import Path

from touchstone.data.ingest.downloads import Archive
from touchstone.data.sources._odin_pictures import odin_pictures

ARCHIVES = (
    Archive(
        "LSUN_resize.tar.gz",
        ("https://www.dropbox.com/s/moqh2wh8696c3yl/LSUN_resize.tar.gz?dl=1",),
        "md5:278b7b31c8cb7e804a1465a8ce03a2dc",
    ),
)


def lsun_resize(folder: Path, *, local_folder: str | None = None, mirror: str | None = None) -> None:
    """Write the pictures as LSUN_resize/PICTURE into `folder`. Settings and errors are those of `odin_pictures`."""
    odin_pictures(ARCHIVES, "lsun_resize", folder, "LSUN_resize", local_folder=local_folder, mirror=mirror)
