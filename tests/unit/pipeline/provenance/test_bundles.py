"""A bundle is whole or absent, the same members give the same bytes, and each member keeps a record of its own."""

import errno
import json
import struct
import tracemalloc
import zipfile

import pytest
from touchstone.pipeline.provenance.addresses import Address, files_of

from touchstone import digests
from touchstone.pipeline.provenance import bundles, sidecar_files

CODE = {"a.py": "sha256:a"}


def record(data, **more):
    return {
        "artefact": digests.sha256(data),
        "step": "score",
        "inputs": {},
        "code": "sha256:c",
        "definitions": CODE,
        **more,
    }


def write(path, **members):
    with bundles.written(path) as bundle:
        for name, data in members.items():
            bundle.add(name, data)
    sidecar_files.write_bundle_sidecar(path, {name: record(data) for name, data in members.items()})
    return path


def at(path, member):
    return path.parent / str(Address(path.name, member))


def test_an_address_is_a_file_or_a_member_of_one():
    assert Address.parse("data/x/a.csv") == Address("data/x/a.csv")
    assert Address.parse("data/x/a.zip#knn/b") == Address("data/x/a.zip", "knn/b")
    assert str(Address("a.zip", "b")) == "a.zip#b"
    assert files_of(["a.zip#b", "c", "a.zip#d"]) == ["a.zip", "c"]


def test_members_come_back_with_their_bytes_and_records(tmp_path):
    path = write(tmp_path / "deep/one.zip", first=b"1", second=b"22")

    assert sidecar_files.addresses(path) == [f"{path}#first", f"{path}#second"]
    assert sidecar_files.read_artefact(at(path, "second")) == b"22"
    assert sidecar_files.artefact_digest(at(path, "second")) == digests.sha256(b"22")
    assert sidecar_files.read_sidecar(at(path, "second")) == record(b"22")
    assert sidecar_files.read_sidecar(path)["artefact"] == digests.file_digest(path)
    assert sidecar_files.exists(at(path, "first"))
    assert not sidecar_files.exists(at(path, "third"))


def test_the_same_members_give_the_same_bytes_at_any_time(tmp_path, monkeypatch):
    first = write(tmp_path / "a.zip", one=b"1").read_bytes()
    monkeypatch.setattr("time.time", lambda: 1e9)

    assert write(tmp_path / "b.zip", one=b"1").read_bytes() == first


def test_a_bundle_that_is_not_finished_leaves_the_old_one(tmp_path):
    path = write(tmp_path / "one.zip", one=b"1")

    with pytest.raises(KeyError), bundles.written(path) as bundle:
        bundle.add("other", b"2")
        raise KeyError

    assert bundles.names(path) == ["one"]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["one.zip", "one.zip.prov.json"]


def test_an_error_of_another_file_keeps_its_name_and_one_of_the_bundle_gets_the_bundles(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError) as other, bundles.written(tmp_path / "one.zip"):
        (tmp_path / "other").read_bytes()
    full_disk = pytest.raises(OSError, match="nothing was written under that name")
    with full_disk as full, bundles.written(tmp_path / "one.zip") as bundle:
        monkeypatch.setattr(bundle._archive, "writestr", no_space)
        bundle.add("one", b"1")

    assert other.value.filename == str(tmp_path / "other")
    assert full.value.filename == str(tmp_path / "one.zip")
    assert list(tmp_path.iterdir()) == []


def no_space(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_members_record_has_another_digest_if_anything_in_it_is_another():
    base = record(b"1")
    others = [base | {"step": "fit"}, base | {"artefact": "sha256:0"}, base | {"code": "sha256:d"}, base | {"more": 1}]
    others += [base | {"inputs": {"of": [{"file": "a", "sidecar": f"sha256:{place}"}]}} for place in range(2)]

    assert len({sidecar_files.digest_of_record(one) for one in (base, *others)}) == 7


@pytest.mark.parametrize("place", [0, 40, -10, -3])
def test_a_damaged_bundle_is_named(tmp_path, place):
    path = write(tmp_path / "one.zip", one=b"1" * 50)
    data = bytearray(path.read_bytes())
    data[place] ^= 255
    path.write_bytes(data)

    with pytest.raises(ValueError, match=r"one\.zip"):
        sidecar_files.read_artefact(at(path, "one"))


def test_a_compressed_bundle_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w") as bundle:
        bundle.writestr("small", b"1")
        bundle.writestr("large", b"0" * 10**6, zipfile.ZIP_DEFLATED)
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda *arguments: pytest.fail("unpacked"))

    for member in ("small", "large"):
        with pytest.raises(ValueError, match=r"bomb\.zip: its member 'large' is compressed"):
            bundles.read(tmp_path / "bomb.zip", member)
    with pytest.raises(ValueError, match="is compressed"):
        bundles.names(tmp_path / "bomb.zip")


@pytest.mark.parametrize("size", [100 * 2**20, 2**31 - 10, 2**32 - 2])
@pytest.mark.parametrize("fields", [1, 2])  # its compressed size, or both
def test_a_member_that_promises_more_than_the_bundle_has_takes_no_memory(tmp_path, size, fields):
    path = write(tmp_path / "one.zip", one=b"1" * 100)
    data = bytearray(path.read_bytes())
    place = data.index(b"PK\x01\x02") + 20  # in the table of contents
    data[place : place + 4 * fields] = struct.pack("<I", size) * fields
    path.write_bytes(data)

    for read in (sidecar_files.artefact_digest, sidecar_files.read_artefact):
        tracemalloc.start()
        with pytest.raises(ValueError, match=r"one\.zip: its member 'one' has another size than the bundle says"):
            read(at(path, "one"))
        assert tracemalloc.get_traced_memory()[1] < 2**20
        tracemalloc.stop()


def test_what_no_job_writes_is_a_problem(tmp_path):
    path = write(tmp_path / "one.zip", one=b"1")
    beside = sidecar_files.sidecar_path(path)
    content = json.loads(beside.read_text())
    assert sidecar_files.bundle_problem(path) == ""

    member = {**content["members"]["one"], "python": "4.0"}
    more_files = {**content["definitions"], "sha256:x": {}}
    records = sidecar_files.digest_of_records(content["members"], more_files)
    for edited in (
        content | {"more": 1},
        content | {"members": {"one": member}},
        content | {"definitions": more_files, "records": records},
    ):
        beside.write_text(digests.canonical(edited) + "\n")
        assert "edited" in sidecar_files.bundle_problem(path)
    beside.write_text(json.dumps(content))
    assert "form" in sidecar_files.bundle_problem(path)
    beside.write_text(digests.canonical(content) + "\n")
    with bundles.written(path) as bundle:
        bundle.add("one", b"1")
        bundle.add("stowaway", b"2")
    assert "other members" in sidecar_files.bundle_problem(path)
