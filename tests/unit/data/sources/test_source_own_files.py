"""A folder of the user's is copied as it is, and nothing from outside it comes along."""

import os

import pytest

from touchstone.data.ingest.user_images import own_images
from touchstone.data.sources.own_files import own_files
from touchstone.records.damage import DamagedFile


@pytest.fixture
def place(tmp_path):
    """A folder of two classes with a secret beside it, and an empty folder to copy into."""
    for name in ("mine/cat/1.png", "mine/dog/1.png", "mine/dog/deeper/2.png", "secret/key.png"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    (tmp_path / "copy").mkdir()
    return tmp_path


def copied(place, location="mine"):
    own_files(place / "copy", location=str(place / location))
    files = (path for path in (place / "copy").rglob("*") if path.is_file())
    return {path.relative_to(place / "copy").as_posix(): path.read_bytes().decode() for path in files}


def test_all_files_are_copied_but_hidden_ones(place):
    (place / "mine/.hidden").mkdir()
    (place / "mine/.hidden/3.png").write_bytes(b"x")
    (place / "mine/cat/.DS_Store").write_bytes(b"x")

    assert copied(place) == {
        "cat/1.png": "mine/cat/1.png",
        "dog/1.png": "mine/dog/1.png",
        "dog/deeper/2.png": "mine/dog/deeper/2.png",
    }


def test_one_file_is_copied_under_its_name(place):
    assert copied(place, "mine/cat/1.png") == {"1.png": "mine/cat/1.png"}


def test_one_file_with_a_control_character_in_its_name_is_refused(place):
    (place / "1\n.png").touch()

    with pytest.raises(DamagedFile, match="contains a name with a control character"):
        copied(place, "1\n.png")


def test_nothing_at_the_location_is_told(place):
    with pytest.raises(FileNotFoundError, match="own_files: location: no such file or folder"):
        own_files(place / "copy", location=str(place / "theirs"))


# What the link is called, where it leads, and what is said of it.
LINKS = {
    "a file elsewhere": ("cat/2.png", "../../secret/key.png", "leads out of the folder"),
    "a file of the system": ("cat/2.png", "/etc/hostname", "leads out of the folder"),
    "a folder elsewhere": ("bird", "../secret", "leads out of the folder"),
    "the folder above": ("cat/all", "../..", "leads out of the folder"),
    "a folder within": ("cats", "cat", "is a link to a folder"),
    "itself": ("cat/loop", "loop", "leads nowhere"),
    "nothing": ("cat/2.png", "gone.png", "leads nowhere"),
    "a link elsewhere": ("cat/2.png", "hop.png", "leads out of the folder"),
}


@pytest.mark.parametrize("case", LINKS)
def test_a_link_that_brings_in_other_files_is_refused_by_name(place, case):
    name, target, words = LINKS[case]
    (place / "mine" / name).symlink_to(target)
    if case == "a link elsewhere":
        (place / "mine/cat/hop.png").symlink_to("../../secret/key.png")

    for read in (lambda: copied(place), lambda: own_images(place / "mine")):
        with pytest.raises(DamagedFile) as caught:
            read()
        assert f"mine/{name}" in str(caught.value) or "hop.png" in str(caught.value)
        assert words in str(caught.value)

    assert not any((place / "copy").iterdir())


def test_a_link_to_a_file_of_the_same_folder_is_that_file(place):
    (place / "mine/cat/2.png").symlink_to("../dog/1.png")

    assert copied(place)["cat/2.png"] == "mine/dog/1.png"
    assert not (place / "copy/cat/2.png").is_symlink()


def test_the_folder_itself_may_be_a_link(place):
    (place / "linked").symlink_to("mine")

    assert len(copied(place, "linked")) == 3


def test_what_is_no_file_is_left_out(place):
    os.mkfifo(place / "mine/cat/pipe.png")

    assert len(copied(place)) == 3
