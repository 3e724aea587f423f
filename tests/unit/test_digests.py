import hashlib
import os

import pytest

from touchstone.digests import folder_digest


def sha256(data):
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "raw"
    (made / "sub").mkdir(parents=True)
    # By digest, the second of them is first.
    (made / "b.txt").write_bytes(b"one")
    (made / "sub" / "a.txt").write_bytes(b"two")
    return made


def test_folder_digest_is_that_of_the_sorted_lines_of_its_files(folder):
    lines = [f"{sha256(b'two')}  sub/a.txt\n", f"{sha256(b'one')}  b.txt\n"]
    assert lines == sorted(lines)

    digest = folder_digest(folder)

    assert digest == "sha256:" + sha256("".join(lines).encode())


def test_folder_digest_ignores_times_and_modes_of_files(folder):
    before = folder_digest(folder)

    os.utime(folder / "b.txt", (1, 1))
    (folder / "b.txt").chmod(0o600)

    assert folder_digest(folder) == before


@pytest.mark.parametrize("change", ["content", "name", "extra", "missing"])
def test_folder_digest_changes_with_every_change_of_content(folder, change):
    before = folder_digest(folder)

    match change:
        case "content":
            (folder / "b.txt").write_bytes(b"twO")
        case "name":
            (folder / "b.txt").rename(folder / "c.txt")
        case "extra":
            (folder / "c.txt").write_bytes(b"")
        case "missing":
            (folder / "b.txt").unlink()

    assert folder_digest(folder) != before


def test_folder_digest_does_not_see_the_mark_that_snakemake_leaves(folder):
    before = folder_digest(folder)

    (folder / ".snakemake_timestamp").touch()

    assert folder_digest(folder) == before


@pytest.mark.parametrize("name", ["c\n.txt", "c\nd/e.txt"])
def test_a_name_of_two_lines_is_refused_because_two_folders_could_have_one_digest(folder, name):
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).touch()

    with pytest.raises(ValueError, match=r"raw: contains a name with a new line, 'c\\n.*'; rename it"):
        folder_digest(folder)
