"""A user's array file: rounding is clipped, and what has another shape, range or type is told the line that mends it."""

import zipfile

import numpy as np
import pytest

from touchstone.data.ingest.user_arrays import read_arrays
from touchstone.records.damage import DamagedFile

FINE = {"images": np.zeros((3, 4, 4), np.uint8), "labels": np.arange(3)}


def saved(folder, **arrays):
    np.savez(folder / "set.npz", **FINE | arrays)
    return folder / "set.npz"


@pytest.mark.parametrize(
    ("kind", "low", "high"),
    [("float32", 0, 1.0000002), ("float32", -2e-7, 1), ("float64", -1e-9, 1.0000005), ("float16", 0, 1.001)],
)
def test_pixels_that_rounding_took_out_of_the_range_are_clipped(tmp_path, kind, low, high):
    images = np.array([low, 0.5, high, 0.25] * 12).reshape(3, 4, 4).astype(kind)
    assert images.min() < 0 or images.max() > 1

    found, _ = read_arrays(saved(tmp_path, images=images), labelled=True)

    assert found.dtype == kind and found.min() >= 0 and found.max() == 1
    assert np.array_equal(found[:, 0, :, 1], images[:, :, 1])


@pytest.mark.parametrize("value", [1.00001, -0.00001, 1.5, 255.0])
def test_pixels_further_out_are_refused(tmp_path, value):
    with pytest.raises(DamagedFile, match=r"images lie in \[.*\]; expected pixels in \[0, 1\]"):
        read_arrays(saved(tmp_path, images=np.full((3, 4, 4), value, "float32")), labelled=True)


@pytest.mark.parametrize(
    ("arrays", "advice"),
    [
        ({"images": np.full((3, 4, 4), 200.0)}, r"images = images / 255"),
        ({"images": np.linspace(-1, 1, 48).reshape(3, 4, 4)}, r"images = \(images \+ 1\) / 2"),
        ({"images": np.zeros((3, 4, 4), "int64")}, r"images = images\.astype\('uint8'\)"),
        ({"images": np.zeros((3, 8, 8, 4), np.uint8)}, r"images = images\[\.\.\., :3\]"),
        ({"images": np.zeros((3, 4, 8, 8), np.uint8)}, r"images = images\[:, :3\]"),
        ({"images": np.zeros((8, 8, 3, 5), np.uint8)}, r"images = numpy\.moveaxis\(images, -1, 0\)"),
        ({"images": np.zeros((3, 5, 8, 8), np.uint8)}, r"images = numpy\.moveaxis\(images, 0, 1\)"),
        ({"images": np.zeros((3, 3072), np.uint8)}, r"images\.reshape\(-1, 3, 32, 32\)"),
        ({"images": np.zeros((3, 784), np.uint8)}, r"images\.reshape\(-1, 1, 28, 28\)"),
        ({"labels": np.eye(3)}, r"labels = labels\.argmax\(1\)"),
        ({"labels": np.zeros((3, 1), int)}, r"labels = labels\[:, 0\]"),
        ({"labels": np.arange(3.0)}, r"labels = labels\.astype\(int\)"),
        ({"labels": np.array([True, False, True])}, r"labels = labels\.astype\(int\)"),
        ({"labels": np.array(["a", "b", "a"])}, r"numpy\.unique\(labels, return_inverse=True\)\[1\]"),
        ({"labels": np.array([-1, 0, 1])}, r"is -1 a class, or does it mean unknown\?"),
    ],
)
def test_arrays_of_another_form_are_refused_with_the_line_that_mends_them(tmp_path, arrays, advice):
    with pytest.raises(DamagedFile, match=advice):
        read_arrays(saved(tmp_path, **arrays), labelled=True)


def test_a_zip_without_arrays_has_none(tmp_path):
    with zipfile.ZipFile(tmp_path / "set.npz", "w") as packed:
        packed.writestr("images", b"words")
        packed.writestr("labels.txt", b"words")

    with pytest.raises(DamagedFile, match=r"expected the arrays images and labels, found none; numpy\.savez"):
        read_arrays(tmp_path / "set.npz", labelled=True)
