"""Evidence files are plain zips: any reader of zips and safetensors reads them."""

import json
import zipfile

import numpy as np
import pytest
from safetensors.numpy import load, save

from touchstone import __version__
from touchstone.provenance import archive

IMAGES = np.float32(np.arange(256).reshape(4, 1, 8, 8)) / np.float32(255)


@pytest.fixture
def path(tmp_path):
    files = {"data/images.safetensors": save({"images": IMAGES}), "data/rows.csv": b"a,b\n1,2\n"}
    target = tmp_path / "own.evidence"
    archive.write(target, "study", {}, [(name, lambda data=data: data) for name, data in files.items()])
    return target


def test_any_reader_of_zips_and_safetensors_reads_a_member(path):
    with zipfile.ZipFile(path) as members:
        np.testing.assert_array_equal(load(members.read("data/images.safetensors"))["images"], IMAGES)
        assert members.read("data/rows.csv") == b"a,b\n1,2\n"


@pytest.mark.parametrize(
    ("change", "words"),
    [({"size": 1}, "unpacks to more than the 1 bytes"), ({"digest": "sha256:0"}, "its bytes have digest")],
    ids=["fewer bytes", "another digest"],
)
def test_a_member_that_is_not_what_the_manifest_states_is_not_written(path, tmp_path, change, words):
    forged = tmp_path / "forged.evidence"
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(forged, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            if name == archive.MANIFEST:
                content = json.loads(data)
                content["files"]["data/rows.csv"] |= change
                data = json.dumps(content).encode()
            target.writestr(name, data)

    _, problems = archive.unpack(forged, tmp_path / "unpacked")

    assert [name for name, _ in problems] == ["data/rows.csv"]
    assert words in problems[0][1]
    assert not (tmp_path / "unpacked/data/rows.csv").exists()
    assert (tmp_path / "unpacked/data/images.safetensors").is_file()


def test_a_pack_of_another_version_is_refused_with_both_versions_and_what_to_do(tmp_path):
    older = tmp_path / "older.pack"
    with zipfile.ZipFile(older, "w") as members:
        members.writestr(archive.MANIFEST, '{"format": "touchstone evidence 2"}')

    with pytest.raises(archive.EvidenceError) as error:
        archive.read_manifest(older)
    assert str(error.value) == (
        f"{older}: its format is 'touchstone evidence 2', and touchstone {__version__} reads '{archive.FORMAT}'; ask its"
        f" author for a pack that touchstone pack of {__version__} writes, or verify it with the version that wrote it"
    )


@pytest.mark.parametrize(
    "entry", [{"sha256": "0", "size": 1}, {"digest": "0"}, {"digest": "0", "size": 1, "mode": 7}, 5]
)
def test_a_manifest_with_other_facts_of_a_file_is_refused_in_a_sentence(tmp_path, entry):
    path = tmp_path / "forged.pack"
    with zipfile.ZipFile(path, "w") as members:
        content = {"format": archive.FORMAT, "kind": "study", "about": {}, "files": {"rows.csv": entry}}
        members.writestr(archive.MANIFEST, json.dumps(content))

    with pytest.raises(archive.EvidenceError) as error:
        archive.read_manifest(path)
    assert str(error.value) == f"{path}: its manifest has to give digest and size of 'rows.csv', no more"


@pytest.mark.parametrize("name", ["/etc/a.csv", "../a.csv", "data/../../a.csv", "data//a.csv", "data\\a.csv"])
def test_a_name_outside_the_folder_is_refused_and_nothing_is_written(tmp_path, name):
    path, folder = tmp_path / "forged.pack", tmp_path / "inside/unpacked"
    with zipfile.ZipFile(path, "w") as members:
        content = {"format": archive.FORMAT, "kind": "study", "about": {}, "files": {name: {"digest": "0", "size": 1}}}
        members.writestr(archive.MANIFEST, json.dumps(content))
        members.writestr(name, b"1")

    with pytest.raises(archive.EvidenceError, match="only data, settings and pages, inside its own folder"):
        archive.unpack(path, folder)
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_in_a_pack_is_refused_and_nothing_is_written(path, tmp_path):
    forged = tmp_path / "forged.pack"
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(forged, "w") as target:
        for info in source.infolist():
            info.external_attr = 0o120777 << 16 if info.filename == "data/rows.csv" else info.external_attr
            target.writestr(info, source.read(info))

    with pytest.raises(archive.EvidenceError, match=r"'data/rows\.csv' is a link; a pack holds only files"):
        archive.unpack(forged, tmp_path / "unpacked")
    assert not (tmp_path / "unpacked").exists()
