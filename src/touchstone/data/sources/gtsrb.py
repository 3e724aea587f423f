"""GTSRB: 26,640 + 12,630 colour images of German traffic signs, 15x15 to 250x250, 43 classes.

Origin: Stallkamp, Schlipsing, Salmen and Igel 2012, benchmark.ini.rub.de. Licence: none stated; offered for research.
Addresses and digests as in torchvision 0.29.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from touchstone.data.ingest.downloads import Archive, published, unpack

BASE = "https://sid.erda.dk/public/archives/daaeac0d7ce1152aea9b61d9f1e19370/"
ARCHIVES = tuple(
    Archive(name, (BASE + name,), f"md5:{md5}")
    for name, md5 in (
        ("GTSRB-Training_fixed.zip", "513f3c79a4c5141765e10e952eaa2478"),
        ("GTSRB_Final_Test_Images.zip", "c7e4e6327067d32654124b0fe9e82185"),
        ("GTSRB_Final_Test_GT.zip", "fe31e9c9270bbcd7b84b7f21a9d9d9e5"),
    )
)


def gtsrb(folder: Path, *, local_folder: str | None = None, mirror: str | None = None) -> None:
    """Write Training/CLASS/TRACK_FRAME.ppm, Final_Test/Images/NUMBER.ppm and GT-final_test.csv into `folder`.

    Args:
        folder: where to write.
        local_folder: contains the archives, not unpacked. None: download them.
        mirror: http address of a folder that serves the archives by name. None: the published address.

    Raises:
        FileNotFoundError: If a archive is missing; the message says where to put it.
        DamagedFile: If a archive is truncated, altered or another version.
    """
    for archive in published(ARCHIVES, "gtsrb", local_folder=local_folder, mirror=mirror):
        unpack(archive, folder, _name)


def _name(member: str) -> str | None:
    path = PurePosixPath(member)
    if path.name == "GT-final_test.csv":
        return path.name
    parts = path.parts[1:]  # GTSRB/
    return "/".join(parts) if path.suffix == ".ppm" and parts[:1] in (("Training",), ("Final_Test",)) else None
