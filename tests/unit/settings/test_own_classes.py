"""Sets of the user's own that number a class differently are refused where the study says so."""

import pytest

from projects import study_text
from touchstone.data.ingest import user_arrays
from touchstone.settings import set_checks
from touchstone.settings.files import ParamsError
from touchstone.settings.study import load

STUDY = """\
title: Pets
data:
  sources:
    pets: {use: own_files, location: pets, sha256: null}
    more: {use: own_files, location: more.npz, sha256: null}
  sets:
    known: {use: own_images, source: pets, inside: train, height: 28, width: 28, colour: gray}
    new: {use: own_images, source: pets, inside: test, height: 28, width: 28, colour: gray}
  train: {pets_train: {use: subset, of: known, count: 600}}
  validation: {pets_validation: {use: subset, of: known, skip: 600, count: 80}}
  calibration: {pets_calibration: {use: subset, of: known, skip: 680, count: 80}}
  detector_train: {pets_detector_train: {use: subset, of: known, skip: 760, count: 80}}
  choosing: {pets_choosing: {use: subset, of: known, skip: 840, count: 60}}
  test: {pets_test: {use: subset, of: new, count: 100}}
  outliers: [blobs]
scale: {seeds: 1, epochs: 1}
papers: {aloe: quick}
"""


def told(tmp_path, known, new):
    """The mistakes of a study that trains on one set and tests on another."""
    path = tmp_path / "pets.yaml"
    path.write_text(study_text(STUDY, data={"sets": {"known": known, "new": new}}))
    try:
        load(str(path))
    except ParamsError as error:
        return str(error).replace(f"{path}:", "")
    return ""


@pytest.mark.parametrize(
    ("known", "new"),
    [
        (["dog", "cat"], ["dog", "cat"]),
        (["dog", "cat"], ["zebra", "horse"]),
        (None, None),
    ],
)
def test_sets_that_number_every_class_alike_are_read(tmp_path, known, new):
    assert told(tmp_path, {"classes": known}, {"classes": new}) == ""


@pytest.mark.parametrize(
    ("known", "new", "message"),
    [
        (["dog", "cat"], None, 'new.classes: new has the order of their names and known has classes: ["dog", "cat"]'),
        (None, ["dog", "cat"], 'new.classes: new has classes: ["dog", "cat"] and known has the order of their names'),
        (["dog", "cat"], ["cat", "dog"], "so one class would have two numbers; write the same classes for both. A set"),
        (["dog", "cat"], ["dog", "cat", "cow"], "so one class would have two numbers"),
    ],
)
def test_another_order_of_classes_is_refused(tmp_path, known, new, message):
    words = told(tmp_path, {"classes": known}, {"classes": new}).replace("'", '"')

    assert words.split(":")[0].isdigit()
    assert "data.sets.new.classes: " in words
    assert message in words


@pytest.mark.parametrize("changes", [{"labelled": False}, {"inside": "test.NPZ"}, {"source": "more", "inside": None}])
def test_a_set_without_classes_and_one_of_arrays_have_no_order(tmp_path, changes):
    assert "two numbers" not in told(tmp_path, {"classes": ["dog", "cat"]}, changes)


def test_a_class_twice_is_refused(tmp_path):
    twice = ["cat", "dog", "cat"]

    words = told(tmp_path, {"classes": twice}, {"classes": twice})

    assert (
        "data.sets.known.classes: names cat twice; name each class once, in the order of the model's classes" in words
    )
    assert "two numbers" not in words


def test_the_settings_and_the_reader_know_the_same_files_of_arrays():
    assert set(set_checks.ARRAYS) == user_arrays.ARRAYS
