"""Results in the store: whole or not there at all."""

import json
import os

import pytest

from touchstone.provenance import store
from touchstone.provenance.store import Store, key_of

KEY = "0123456789abcdef0123456789abcdef"


def kept(tmp_path, study="digits", data=b"a network", **facts):
    return Store(study, tmp_path).keep("train", KEY, data, {"name": "networks/cnn.0", **facts})


def found(tmp_path, study="digits", name="networks/cnn.0"):
    return Store(study, tmp_path).find("train", KEY, name)


def key(step="train", code="sha256:1", epochs=1, role="train", **digests):
    digests = digests or {"a": "sha256:2"}
    return key_of(step, code, {"epochs": epochs}, {role: digests}, digests.get)


def test_a_key_is_of_step_code_settings_and_the_bytes_of_inputs():
    usual = key()

    assert usual == "51ebd20254d95ac0c5456a47dc0360ba", "no finished study is computed again"
    others = [
        key(step="attack"),
        key(code="sha256:3"),
        key(epochs=2),
        key(a="sha256:4"),
        key(role="validation"),
    ]
    assert len({usual, *others}) == 6
    assert usual == key(b="sha256:2"), "a path is not in it"


def test_to_read_a_set_twice_is_another_task():
    digests = {"a": "sha256:2", "b": "sha256:3"}
    lists = [["a"], ["a", "a"], ["a", "b"], ["a", "b", "a"], ["b", "a"]]

    assert len({key_of("train", "sha256:1", {}, {"outliers": files}, digests.get) for files in lists}) == len(lists)


def test_what_was_kept_is_found_with_its_record(tmp_path):
    made = kept(tmp_path, cpu="aten=avx2")

    result = found(tmp_path)

    assert result == made
    assert result.path == tmp_path / "digits/train" / KEY
    assert result.path.read_bytes() == b"a network"
    assert result.record["cpu"] == "aten=avx2"


def test_nothing_is_found_in_an_empty_folder_or_under_another_key(tmp_path):
    assert found(tmp_path / "nowhere") is None
    kept(tmp_path)
    assert Store("digits", tmp_path).find("train", "f" * 32, "networks/cnn.0") is None


def test_the_reason_of_what_was_left_out_is_taken_only_under_the_same_name(tmp_path):
    """It names entries of the study."""
    made = kept(tmp_path, left_out=True)

    assert found(tmp_path) == made
    assert found(tmp_path, name="networks/other.0") is None


@pytest.mark.parametrize("data", [b"another one", b"a networK"], ids=["other size", "same size"])
def test_what_somebody_wrote_into_is_not_found(tmp_path, data):
    """As through a hard link in results/."""
    path = kept(tmp_path).path
    path.write_bytes(data)
    os.utime(path, ns=(2**61, 2**61))

    assert found(tmp_path) is None


def test_a_copy_with_newer_times_is_compared_once_and_found(tmp_path, monkeypatch):
    """As `dvc pull` writes results and records in any order."""
    path = kept(tmp_path).path
    later = store.record_path(path).stat().st_mtime_ns + 10**9
    os.utime(path, ns=(later, later))

    assert found(tmp_path) is not None
    os.utime(store.record_path(path), ns=(later, later))
    monkeypatch.setattr(store.digests, "file_digest", lambda path: pytest.fail("compared again"))
    assert found(tmp_path) is not None


@pytest.mark.parametrize(
    "text",
    ["", "{", "[1]", "[" * 5000 + "]" * 5000, json.dumps({"artefact": "../../etc/passwd", "size": 9}), json.dumps({"size": 9})],
    ids=["empty", "cut off", "a list", "nested", "a path", "no digest"],
)  # fmt: skip
def test_a_garbage_record_is_no_result(tmp_path, text):
    path = kept(tmp_path).path
    store.record_path(path).write_text(text)

    assert found(tmp_path) is None


def test_a_result_without_its_record_and_a_record_without_its_result_are_no_results(tmp_path):
    path = kept(tmp_path).path
    path.unlink()
    assert found(tmp_path) is None
    path = kept(tmp_path).path
    store.record_path(path).unlink()
    assert found(tmp_path) is None


def test_the_folder_may_be_named_by_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv(store.VARIABLE, str(tmp_path / "shared"))

    made = Store("digits").keep("train", KEY, b"a", {})

    assert made.path == tmp_path / "shared/digits/train" / KEY
