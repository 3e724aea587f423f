import gzip
import hashlib
import struct

import numpy as np
import pytest

from touchstone.data.ingest.downloads import Archive
from touchstone.data.sources import fashion_mnist as module
from touchstone.data.sources.fashion_mnist import ARCHIVES, fashion_mnist
from touchstone.digests import folder_digest
from touchstone.records.damage import DamagedFile


def idx(array):
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


FILES = tuple(archive.name.removesuffix(".gz") for archive in ARCHIVES)
CONTENT = {name: idx(np.arange(12 + place, dtype=np.uint8)) for place, name in enumerate(FILES)}


@pytest.fixture
def out(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "DEBIAN", tmp_path / "not_installed")
    made = tmp_path / "out"
    made.mkdir()
    return made


def write(folder, packed=()):
    folder.mkdir(parents=True)
    for name, data in CONTENT.items():
        if name in packed:
            (folder / f"{name}.gz").write_bytes(gzip.compress(data))
        else:
            (folder / name).write_bytes(data)
    return folder


@pytest.fixture
def mirrored(tmp_path, monkeypatch):
    """torchvision's mirror, stood in for by its files in the folder of downloads."""
    here = tmp_path / "downloads"
    here.mkdir()
    table = []
    for archive, data in zip(module.ARCHIVES, CONTENT.values(), strict=True):
        packed = gzip.compress(data)
        (here / archive.name).write_bytes(packed)
        table.append(Archive(archive.name, archive.urls, f"md5:{hashlib.md5(packed).hexdigest()}"))
    monkeypatch.setattr(module, "ARCHIVES", tuple(table))
    monkeypatch.setenv("TOUCHSTONE_DOWNLOADS", str(here))


@pytest.fixture
def unreachable(tmp_path, monkeypatch):
    table = [Archive(a.name, (f"http://127.0.0.1:9/{a.name}",), a.digest) for a in module.ARCHIVES]
    monkeypatch.setattr(module, "ARCHIVES", tuple(table))
    monkeypatch.setenv("TOUCHSTONE_DOWNLOADS", str(tmp_path / "downloads"))


@pytest.mark.parametrize("packed", [(), FILES, FILES[:2]])
def test_every_kind_of_local_folder_gives_the_same_bytes(tmp_path, out, packed):
    local = write(tmp_path / "local", packed)

    fashion_mnist(out, local_folder=str(local))

    assert {path.name: path.read_bytes() for path in out.iterdir()} == CONTENT


def test_debian_package_is_found_without_being_told(tmp_path, out, monkeypatch, unreachable):
    monkeypatch.setattr(module, "DEBIAN", write(tmp_path / "share", FILES))

    fashion_mnist(out)

    assert {path.name: path.read_bytes() for path in out.iterdir()} == CONTENT


def test_torchvisions_mirror_is_asked_last_and_gives_the_same_bytes(tmp_path, out, mirrored):
    fashion_mnist(out)

    local = write(tmp_path / "local")
    assert folder_digest(out) == folder_digest(local)


def test_a_local_folder_goes_before_debian(tmp_path, out, monkeypatch):
    debian = write(tmp_path / "share")
    (debian / FILES[0]).write_bytes(b"other")
    monkeypatch.setattr(module, "DEBIAN", debian)

    fashion_mnist(out, local_folder=str(write(tmp_path / "local")))

    assert (out / FILES[0]).read_bytes() == CONTENT[FILES[0]]


def test_without_any_place_the_error_names_the_files_and_where_to_put_them(out, unreachable):
    with pytest.raises(FileNotFoundError) as error:
        fashion_mnist(out)

    for part in (*FILES, "local_folder", "dataset-fashion-mnist", "refused"):
        assert part in str(error.value)


def test_a_local_folder_that_lacks_files_is_an_error_that_names_them(tmp_path, out):
    local = write(tmp_path / "local", FILES)
    (local / f"{FILES[1]}.gz").unlink()
    (local / f"{FILES[3]}.gz").unlink()

    with pytest.raises(FileNotFoundError, match="local lacks, packed or unpacked") as error:
        fashion_mnist(out, local_folder=str(local))

    assert [name for name in FILES if name in str(error.value)] == [FILES[1], FILES[3]]


@pytest.mark.parametrize("cut", [0, 5, 30])
def test_a_truncated_gzip_file_is_damaged_and_named(tmp_path, out, cut):
    local = write(tmp_path / "local", FILES)
    path = local / f"{FILES[2]}.gz"
    path.write_bytes(path.read_bytes()[:cut])

    with pytest.raises(DamagedFile, match=rf"{FILES[2]}\.gz"):
        fashion_mnist(out, local_folder=str(local))


def test_an_altered_gzip_file_is_damaged_and_named(tmp_path, out):
    local = write(tmp_path / "local", FILES)
    path = local / f"{FILES[2]}.gz"
    data = bytearray(path.read_bytes())
    data[-6] ^= 0xFF  # in the checksum
    path.write_bytes(data)

    with pytest.raises(DamagedFile, match=rf"{FILES[2]}\.gz"):
        fashion_mnist(out, local_folder=str(local))
