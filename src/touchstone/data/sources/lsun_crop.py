"""10,000 small colour pictures cropped from LSUN's test set, as ODIN published them.

Origin: Yu et al. 2015 (LSUN), by way of Liang, Li and Srikant 2018, github.com/facebookresearch/odin.
Licence: none stated; offered for research. The publisher states no digest; this one is the one that pytorch-ood uses.
"""

from __future__ import annotations

from pathlib import Path

from touchstone.data.ingest.downloads import Archive
from touchstone.data.sources._odin_pictures import odin_pictures

ARCHIVES = (
    Archive(
        "LSUN.tar.gz",
        ("https://www.dropbox.com/s/fhtsw1m3qxlwj6h/LSUN.tar.gz?dl=1",),
        "md5:458a0a0ab8e5f1cb4516d7400568e460",
    ),
)


def lsun_crop(folder: Path, *, local_folder: str | None = None, mirror: str | None = None) -> None:
    """Write the pictures as LSUN/PICTURE into `folder`. Settings and errors are those of `odin_pictures`."""
    odin_pictures(ARCHIVES, "lsun_crop", folder, "LSUN", local_folder=local_folder, mirror=mirror)
