"""10,000 small colour pictures cropped from LSUN's test set, as ODIN published them.

Origin: Yu et al. 2015 (LSUN), by way of Liang, Li and Srikant 2018, github.com/facebookresearch/odin.
Licence: none stated; offered for research. Its publisher states no digest; this one is that of other readers of the file
(pytorch-ood).
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from touchstone.ingest.downloads import Archive, published, unpack

ARCHIVES = (
    Archive(
        "LSUN.tar.gz",
        ("https://www.dropbox.com/s/fhtsw1m3qxlwj6h/LSUN.tar.gz?dl=1",),
        "md5:458a0a0ab8e5f1cb4516d7400568e460",
    ),
)
PICTURES = (".jpg", ".jpeg", ".png")


def lsun_crop(folder: Path, *, local_folder: str | None = None, mirror: str | None = None) -> None:
    """Write LSUN/NAME into `folder`, the pictures.

    The archive comes from `local_folder`, not unpacked, where it is given, else by download. FileNotFoundError names the
    files that are missing and where to put them; DamagedFile names an archive that is cut, altered or another version.
    """
    for archive in published(ARCHIVES, "lsun_crop", local_folder=local_folder, mirror=mirror):
        unpack(archive, folder, _name)


def _name(member: str) -> str | None:
    path = PurePosixPath(member)
    return f"LSUN/{path.name}" if path.suffix.lower() in PICTURES and not path.name.startswith(".") else None
