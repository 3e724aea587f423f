import numpy as np
import pytest

from touchstone.data.ingest.example_notes import brightness_notes, derived, generated, prepared
from touchstone.records.encoding import encode


def test_brightness_notes_of_four_pixels():
    levels = np.array([0, 0, 51, 255], np.uint8)

    assert brightness_notes(levels) == {"mean_intensity": 0.3, "sparsity": 0.5}


def test_brightness_of_many_white_pixels_does_not_overflow():
    assert brightness_notes(np.full((5, 1000, 1000), 255, np.uint8))["mean_intensity"] == 1


def test_prepared_images_lie_on_the_grid_and_can_be_written():
    images = np.random.default_rng(0).random((3, 1, 4, 4))

    examples = prepared(images, [1, 2, 3], [7, 8, 9], "made", licence="none", origin="here", interpolation="no")

    np.testing.assert_array_equal(examples.images, (np.rint(images * 255) / 255).astype(np.float32))
    assert {"licence", "origin", "interpolation", "mean_intensity", "sparsity"} == set(examples.notes)
    assert encode(examples)


def test_prepared_refuses_nan():
    with pytest.raises(ValueError, match="NaN"):
        prepared(np.full((1, 1, 2, 2), np.nan), [0], [0], "made", licence="none", origin="here")


def test_derived_sets_measure_their_own_brightness_and_keep_the_licence():
    examples = prepared(np.zeros((2, 1, 2, 2)), [3, 4], [5, 6], "made", licence="CC0", origin="here")

    brighter = derived(examples, np.ones((2, 1, 2, 2)), "white", strength=2)

    assert brighter.source == "made/white"
    assert brighter.labels.tolist() == [3, 4]
    assert brighter.example_ids.tolist() == [5, 6]
    assert brighter.notes == {
        "licence": "CC0", "origin": "here", "strength": 2, "mean_intensity": 1.0, "sparsity": 0.0,
    }  # fmt: skip


def test_generated_sets_have_no_class():
    examples = generated(np.zeros((3, 1, 2, 2)), "zeros")

    assert examples.labels.tolist() == [-1, -1, -1]
    assert examples.example_ids.tolist() == [0, 1, 2]
