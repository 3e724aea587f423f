"""8,925 small colour pictures shrunk from iSUN, 32x32, as ODIN published them.

Origin: Xu et al. 2015 (iSUN), by way of Liang, Li and Srikant 2018, github.com/facebookresearch/odin.
Licence: none stated; offered for research. The publisher states no digest; this one is the one
that a public torchvision-style reader uses.
"""

from __future__ import annotations

from pathlib import Path

from touchstone.data.ingest.downloads import Archive
from touchstone.data.sources._odin_pictures import odin_pictures

ARCHIVES = (
    Archive(
        "iSUN.tar.gz",
        ("https://www.dropbox.com/s/ssz7qxfqae0cca5/iSUN.tar.gz?dl=1",),
        "md5:be77b0f2c26fda898afac5f99645ee70",
    ),
)


def isun(folder: Path, *, local_folder: str | None = None, mirror: str | None = None) -> None:
    """Write the pictures as iSUN/PICTURE into `folder`. Settings and errors are those of `odin_pictures`."""
    odin_pictures(ARCHIVES, "isun", folder, "iSUN", local_folder=local_folder, mirror=mirror)
