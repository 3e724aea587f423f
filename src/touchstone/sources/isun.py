"""8,925 small colour pictures shrunk from iSUN, 32x32, as ODIN published them.

Origin: Xu et al. 2015 (iSUN), by way of Liang, Li and Srikant 2018, github.com/facebookresearch/odin.
Licence: none stated; offered for research. Its publisher states no digest; this one is that of other readers of the file
(a public torchvision-style reader).
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from touchstone.ingest.downloads import Archive, published, unpack

ARCHIVES = (
    Archive(
        "iSUN.tar.gz",
        ("https://www.dropbox.com/s/ssz7qxfqae0cca5/iSUN.tar.gz?dl=1",),
        "md5:be77b0f2c26fda898afac5f99645ee70",
    ),
)
PICTURES = (".jpg", ".jpeg", ".png")


def isun(folder: Path, *, local_folder: str | None = None, mirror: str | None = None) -> None:
    """Write iSUN/NAME into `folder`, the pictures.

    The archive comes from `local_folder`, not unpacked, where it is given, else by download. FileNotFoundError names the
    files that are missing and where to put them; DamagedFile names an archive that is cut, altered or another version.
    """
    for archive in published(ARCHIVES, "isun", local_folder=local_folder, mirror=mirror):
        unpack(archive, folder, _name)


def _name(member: str) -> str | None:
    path = PurePosixPath(member)
    return f"iSUN/{path.name}" if path.suffix.lower() in PICTURES and not path.name.startswith(".") else None
