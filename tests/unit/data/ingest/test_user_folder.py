"""A user's folder: what is in it, and names and folders that are refused before anything is written."""

import hashlib
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


@pytest.mark.parametrize("name", ["1.png\n2.png", "a\nb/1.png", "Icon\r", "\x7f.png", "\x85.png"])
def test_a_name_with_a_control_character_is_refused(tmp_path, name):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()

    with pytest.raises(DamagedFile, match=r"contains a name with a control character, '.*\\.*'; rename it") as error:
        contents(tmp_path)
    assert str(error.value).isprintable()


def test_two_folders_of_one_digest_are_not_both_read(tmp_path):
    """The name of the one file holds the line that the digest has for the other file."""
    first, second = sorted((b"a", b"b"), key=lambda data: hashlib.sha256(data).hexdigest())
    for folder in ("two", "one"):
        (tmp_path / folder).mkdir()
    (tmp_path / "two/1.png").write_bytes(first)
    (tmp_path / "two/2.png").write_bytes(second)
    (tmp_path / "one" / f"1.png\n{hashlib.sha256(second).hexdigest()}  2.png").write_bytes(first)

    assert len(contents(tmp_path / "two").files) == 2
    with pytest.raises(DamagedFile, match="control character"):
        contents(tmp_path / "one")


@pytest.mark.parametrize("name", ["été 1.png", "at 9.00\u202fAM.png", "\u00a0.png"])
def test_a_name_with_blanks_or_accents_is_read(tmp_path, name):
    (tmp_path / name).touch()

    assert [path.name for path in contents(tmp_path).files] == [name]


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
