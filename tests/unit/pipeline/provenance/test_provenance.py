import os

import pytest

from touchstone.pipeline.orchestration.recovery import HALF_WRITTEN
from touchstone.pipeline.provenance import sidecar_files, whole_files


def test_a_file_is_whole_or_absent(tmp_path):
    target = tmp_path / "deep" / "file"

    whole_files.write_whole(target, b"whole")
    with pytest.raises(TypeError):
        whole_files.write_whole(target, "not bytes")  # type: ignore[arg-type]

    assert target.read_bytes() == b"whole"
    assert [path.name for path in target.parent.iterdir()] == ["file"]


def test_a_sidecar_names_the_digest_of_its_artefact(tmp_path):
    target = tmp_path / "x.safetensors"

    sidecar_files.write_with_sidecar(target, b"abc", {"step": "attack"})

    assert sidecar_files.read_sidecar(target) == {
        "artefact": "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "step": "attack",
    }


@pytest.mark.parametrize("text", ["", "{", "[]", "{}"])
def test_a_broken_sidecar_is_named(tmp_path, text):
    (tmp_path / "x.prov.json").write_text(text)

    with pytest.raises(ValueError, match=r"x\.prov\.json"):
        sidecar_files.read_sidecar(tmp_path / "x")


def test_a_file_that_breaks_off_leaves_nothing_behind(tmp_path):
    with pytest.raises(ValueError, match="no more"), whole_files.replaced(tmp_path / "a") as temporary:
        temporary.write_bytes(b"abc")
        raise ValueError("no more")

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("mask", [0o002, 0o022, 0o027, 0o077])
def test_a_file_has_the_mode_that_the_umask_leaves(tmp_path, mask):
    before = os.umask(mask)
    try:
        sidecar_files.write_with_sidecar(tmp_path / "a", b"x", {})
        whole_files.write_whole(tmp_path / "b", b"x", lasting=False)
    finally:
        os.umask(before)

    assert {oct(path.stat().st_mode & 0o777) for path in tmp_path.iterdir()} == {oct(0o666 & ~mask)}


def test_what_is_half_written_is_known_as_such(tmp_path, monkeypatch):
    with whole_files.replaced(tmp_path / "a.csv") as temporary:
        temporary.write_bytes(b"x")
        seen = [path.name for path in tmp_path.iterdir()]

    assert len(seen) == 1 and HALF_WRITTEN.fullmatch(seen[0])
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]
