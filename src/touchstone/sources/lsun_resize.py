"""10,000 small colour pictures shrunk from LSUN's test set, 32x32, as ODIN published them.

Origin: Yu et al. 2015 (LSUN), by way of Liang, Li and Srikant 2018, github.com/facebookresearch/odin.
Licence: none stated; offered for research. Its publisher states no digest; this one is that of other readers of the file
(pytorch-ood).
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from touchstone.ingest.downloads import Archive, published, unpack

ARCHIVES = (
    Archive(
        "LSUN_resize.tar.gz",
        ("https://www.dropbox.com/s/moqh2wh8696c3yl/LSUN_resize.tar.gz?dl=1",),
        "md5:278b7b31c8cb7e804a1465a8ce03a2dc",
    ),
)
PICTURES = (".jpg", ".jpeg", ".png")


def lsun_resize(folder: Path, *, local_folder: str | None = None, mirror: str | None = None) -> None:
    """Write LSUN_resize/NAME into `folder`, the pictures.

    The archive comes from `local_folder`, not unpacked, where it is given, else by download. FileNotFoundError names the
    files that are missing and where to put them; DamagedFile names an archive that is cut, altered or another version.
    """
    for archive in published(ARCHIVES, "lsun_resize", local_folder=local_folder, mirror=mirror):
        unpack(archive, folder, _name)


def _name(member: str) -> str | None:
    path = PurePosixPath(member)
    return f"LSUN_resize/{path.name}" if path.suffix.lower() in PICTURES and not path.name.startswith(".") else None
