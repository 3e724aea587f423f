"""A sidecar that is not what a job writes is a problem with a name, whatever is in its place."""

import json

import pytest

from job_files import write_job
from touchstone.provenance import job_folders, sidecar_files


@pytest.fixture
def folder(tmp_path):
    """The folder of a job with two artefacts."""
    write_job(tmp_path / "results/own/detect/net.0", {"a.safetensors": b"a", "b.safetensors": b"b"})
    return tmp_path / "results/own/detect/net.0"


def edited(folder, **change):
    path = folder / job_folders.SIDECAR
    content = json.loads(path.read_text())
    path.write_bytes(sidecar_files.as_bytes({name: change.get(name, value) for name, value in content.items()}))


BROKEN = {
    "none": lambda path: path.unlink(),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "half of it": lambda path: path.write_bytes(path.read_bytes()[:40]),
    "not UTF-8": lambda path: path.write_bytes(b"\xff"),
    "a list": lambda path: path.write_text("[]"),
    "NaN": lambda path: path.write_text('{"members": NaN}'),
    "nested JSON": lambda path: path.write_text("[" * 9999),
    "no such record": lambda path: path.write_text('{"members": {}, "code": {}}'),
    "a record of another kind": lambda path: edited(path.parent, members={"a.safetensors": []}),
    "a code of another kind": lambda path: edited(path.parent, code=[]),
}


@pytest.mark.parametrize("break_", BROKEN.values(), ids=BROKEN)
def test_what_is_no_sidecar_is_named(folder, break_):
    break_(folder / job_folders.SIDECAR)

    with pytest.raises(ValueError, match=r"results/own/detect/net\.0/sidecar\.json: "):
        sidecar_files.read_sidecar(folder / "a.safetensors")
    assert not sidecar_files.exists(folder / "a.safetensors")


def test_edited_lists_of_definitions_are_a_problem_although_no_link_covers_them(folder):
    before = sidecar_files.record_digest(folder / "a.safetensors")
    assert sidecar_files.folder_problem(folder) == ""

    edited(folder, code={"sha256:c": {"definitions": {}, "packages": {}}})

    assert sidecar_files.record_digest(folder / "a.safetensors") == before
    assert "the digest of its records does not match" in sidecar_files.folder_problem(folder)
