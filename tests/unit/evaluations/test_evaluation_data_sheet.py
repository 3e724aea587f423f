import numpy as np
import pytest

from touchstone.evaluations.data_sheet import data_sheet
from touchstone.records.nouns import Cell, ExampleSet


def sheet(pixels, labels=(0, 0, -1), **place):
    images = np.array(pixels, dtype=np.float32).reshape(len(labels), 1, 1, -1)
    noun = ExampleSet(images, np.array(labels, dtype=np.int64), np.arange(len(labels)), "a source")
    return {row.metric: row for row in data_sheet([Cell(noun, "file", examples="digits", **place)])}


def test_three_images_of_two_pixels_worked_by_hand():
    found = sheet([[0, 1], [0, 0], [0.3, 51 / 255]])

    assert found["n"].value == 3
    assert found["classes"].value == 1
    assert found["mean_intensity"].value == pytest.approx((0.5 + 0 + 0.25) / 3, abs=1e-7)
    assert found["sparsity"].value == 0.5
    assert found["on_grid"].value == pytest.approx(5 / 6)
    assert found["n"].entry == "a source"


def test_every_grey_level_lies_on_the_grid():
    levels = np.arange(255, dtype=np.float32).reshape(3, 85) / np.float32(255)

    assert sheet(levels)["on_grid"].value == 1


def test_sets_attacked_on_two_networks_are_two_things():
    noun = ExampleSet(np.zeros((1, 1, 1, 1), np.float32), np.zeros(1, np.int64), np.zeros(1, np.int64), "a source")
    places = [{"entry": entry, "seed": 0, "victim": f"{entry}.0", "attack": "pgd"} for entry in ("cnn", "mlp")]

    rows = data_sheet([Cell(noun, place["victim"], examples="digits", **place) for place in places])

    assert {row.examples for row in rows} == {"digits/cnn/pgd", "digits/mlp/pgd"}
