"""A user's folder: what is in it, and names and folders that are refused before anything is written."""

import os

import pytest

from touchstone.data.ingest.user_folder import contents
from touchstone.records.damage import DamagedFile


@pytest.mark.parametrize("name", [b"caf\xe9.png", b"caf\xe9"])
def test_a_name_that_is_not_utf_8_is_refused(tmp_path, name):
    place = tmp_path / os.fsdecode(name)
    if name.endswith(b".png"):
        place.touch()
    else:
        place.mkdir()

    with pytest.raises(DamagedFile, match=r"a name that is not UTF-8, b'caf\\xe9.*'; rename it"):
        contents(tmp_path)


def test_hidden_and_special_files_are_counted(tmp_path):
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden/1.png").touch()
    (tmp_path / "1.png").touch()
    os.mkfifo(tmp_path / "2.png")

    found = contents(tmp_path)

    assert [path.name for path in found.files] == ["1.png"] and (found.hidden, found.special) == (1, 1)


def test_a_folder_that_cannot_be_read_is_an_error_and_not_empty(tmp_path, monkeypatch):
    (tmp_path / "secret").mkdir()
    scandir = os.scandir

    def refused(path):
        if str(path).endswith("secret"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refused)

    with pytest.raises(PermissionError, match="secret"):
        contents(tmp_path)
