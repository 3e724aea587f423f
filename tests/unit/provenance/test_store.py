"""The store: each rule's results in a folder of their own, found from every other rule and study."""

import errno
import os

import pytest

from touchstone.provenance import store as stores
from touchstone.provenance.store import Store, record_path

KEY, DATA = "0" * 32, b"scores"


@pytest.fixture
def store(tmp_path):
    """A function that returns the store as the jobs of a study see it."""
    return lambda study="digits": Store(study, tmp_path)


def test_a_result_lies_in_the_folder_of_its_study_and_rule(store, tmp_path):
    kept = store().keep("detect", KEY, DATA, {"name": "scores/cnn.0"})

    assert kept.path == tmp_path / "digits/detect" / KEY
    assert store().find("detect", KEY, "scores/cnn.0") == kept


@pytest.mark.parametrize("place", [("digits", "attack"), ("digits", "an_earlier_rule"), ("tiny", "detect")])
def test_what_another_rule_or_study_made_is_found_and_put_into_the_own_folder(store, tmp_path, place):
    study, rule = place
    made = store(study).keep(rule, KEY, DATA, {"name": "a"})

    found = store().find("detect", KEY, "b")

    own = tmp_path / "digits/detect" / KEY
    assert (found.path, found.record) == (own, made.record)
    assert own.samefile(made.path)
    assert record_path(own).samefile(record_path(made.path))


def test_a_file_that_no_link_can_name_is_copied(store, tmp_path, monkeypatch):
    made = store("tiny").keep("detect", KEY, DATA, {"name": "a"})
    monkeypatch.setattr(os, "link", lambda *_: refuse(errno.EXDEV))

    found = store().find("detect", KEY, "a")

    assert found.path == tmp_path / "digits/detect" / KEY
    assert found.path.read_bytes() == DATA
    assert not found.path.samefile(made.path)
    assert store().find("detect", KEY, "a") == found


def test_a_result_is_read_where_it_lies_if_the_own_folder_cannot_be_written(store, monkeypatch):
    made = store("tiny").keep("detect", KEY, DATA, {"name": "a"})
    monkeypatch.setattr(stores.whole_files, "link", lambda *_: refuse(errno.EROFS))

    assert store().find("detect", KEY, "a") == made


def test_a_damaged_result_is_replaced_by_a_whole_one_of_another_study(store, tmp_path):
    store("tiny").keep("detect", KEY, DATA, {"name": "a"})
    own = store().keep("detect", KEY, DATA, {"name": "a"})
    own.path.write_bytes(b"forged")

    assert store().find("detect", KEY, "a").path.read_bytes() == DATA


def test_raw_files_and_files_beside_the_studies_are_no_results(store, tmp_path):
    (tmp_path / "README.md").write_text("what lies here")
    store("raw").keep("detect", KEY, DATA, {"name": "a"})

    assert store().find("detect", KEY, "a") is None


def test_why_something_was_left_out_is_found_under_its_own_name_only(store):
    store().keep("attack", KEY, DATA, {"name": "a", "left_out": True})

    assert store().find("detect", KEY, "b") is None
    assert store().find("detect", KEY, "a") is not None


def refuse(number):
    raise OSError(number, os.strerror(number))
