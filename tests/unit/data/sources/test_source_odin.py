"""The three sets that ODIN published: their pictures go into one folder each, and nothing else does."""

import hashlib
import importlib
import io
import tarfile
from dataclasses import replace

import numpy as np
import pytest

from touchstone import registry
from touchstone.data.ingest import picture_files
from touchstone.data.sources import _odin_pictures
from touchstone.records.damage import DamagedFile

FOLDERS = {"isun": "iSUN", "lsun_crop": "LSUN", "lsun_resize": "LSUN_resize"}


def png():
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(np.zeros((36, 36, 3), np.uint8)).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture(params=FOLDERS)
def published(request, tmp_path, monkeypatch):
    """A source, a folder with an archive in its form, and the name of its subfolder."""
    module = importlib.import_module(f"touchstone.data.sources.{request.param}")
    (archive,) = module.ARCHIVES
    path = tmp_path / "archives" / archive.name
    path.parent.mkdir()
    with tarfile.open(path, "w:gz") as tape:
        for name in ("deep/inside/1.PNG", "2.png", "._2.png", "readme.txt"):
            entry = tarfile.TarInfo(f"{FOLDERS[request.param]}/{name}")
            entry.size = len(png())
            tape.addfile(entry, io.BytesIO(png()))
    digest = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    monkeypatch.setattr(module, "ARCHIVES", (replace(archive, digest=f"md5:{digest}"),))
    return request.param, path.parent, FOLDERS[request.param]


def test_the_pictures_are_written_and_read(published, tmp_path):
    source, archives, folder = published
    target = tmp_path / "raw"
    target.mkdir()

    registry.load(f"sources/{source}")(target, local_folder=str(archives))

    assert sorted(path.relative_to(target).as_posix() for path in target.rglob("*.*")) == [
        f"{folder}/1.PNG",
        f"{folder}/2.png",
    ]
    examples = registry.load(f"data/{source}")(target)
    assert examples.images.shape == (2, 3, 32, 32) and examples.source == source


def test_pictures_of_another_set_are_refused(published, tmp_path):
    source, _, _ = published
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "1.png").write_bytes(png())

    with pytest.raises(DamagedFile, match=r"other/1\.png: not a picture of .* as ODIN published it"):
        registry.load(f"data/{source}")(tmp_path / "other")


def test_whatever_the_source_writes_the_reader_takes():
    assert set(_odin_pictures.PICTURES) <= picture_files.PICTURES
