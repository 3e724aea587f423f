import struct

import numpy as np
import pytest

from touchstone.data.fashion_mnist import fashion_mnist
from touchstone.records.damage import DamagedFile

PARTS = {"train": 450, "validation": 50, "calibration": 50, "detector_train": 50}


def idx(array):
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def write(folder, name, images, labels):
    (folder / f"{name}-images-idx3-ubyte").write_bytes(idx(images))
    (folder / f"{name}-labels-idx1-ubyte").write_bytes(idx(labels))


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (600, 28, 28), np.uint8)


@pytest.fixture
def raw(tmp_path, images):
    labels = (np.arange(600) % 10).astype(np.uint8)
    write(tmp_path, "train", images, labels)
    write(tmp_path, "t10k", images[:100], labels[:100])
    return tmp_path


def test_parts_hold_45_5_5_and_5_sixtieths_stratified_and_disjoint(raw):
    parts = {part: fashion_mnist(raw, part=part) for part in PARTS}

    assert {part: len(examples) for part, examples in parts.items()} == PARTS
    assert sorted(np.concatenate([examples.example_ids for examples in parts.values()])) == list(range(600))
    for part, count in PARTS.items():
        assert np.bincount(parts[part].labels).tolist() == [count // 10] * 10


def test_images_are_the_bytes_divided_by_255(raw, images):
    examples = fashion_mnist(raw, part="calibration")

    expected = (images[examples.example_ids][:, None] / 255).astype(np.float32)
    np.testing.assert_array_equal(examples.images, expected)
    np.testing.assert_array_equal(examples.labels, examples.example_ids % 10)


def test_the_test_part_is_the_test_files_with_ids_after_all_training_rows(raw, images):
    examples = fashion_mnist(raw, part="test")

    assert examples.example_ids.tolist() == list(range(60_000, 60_100))
    np.testing.assert_array_equal(np.rint(examples.images[:, 0] * 255), images[:100])


@pytest.mark.parametrize("part", ["train", "test"])
def test_limit_takes_a_stratified_subset(raw, part):
    examples = fashion_mnist(raw, part=part, limit=40)

    assert np.bincount(examples.labels).tolist() == [4] * 10
    assert set(examples.example_ids) < set(fashion_mnist(raw, part=part).example_ids)


def test_the_real_sizes_are_cut_as_the_design_says():
    from touchstone.data.ingest.idx import SHARES
    from touchstone.data.ingest.splits import rows_of_part

    labels = np.arange(60_000) % 10

    sizes = [len(rows_of_part(labels, SHARES, part, seed=0)) for part in SHARES]

    assert sizes == [45_000, 5_000, 5_000, 5_000]


@pytest.mark.parametrize("name", ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"])
@pytest.mark.parametrize(
    "change",
    [
        lambda data: b"",
        lambda data: data[:3],
        lambda data: data[:-1],
        lambda data: data + b"\0",
        lambda data: b"\1" + data[1:],
        lambda data: data[:2] + b"\x0d" + data[3:],
    ],
)
def test_a_damaged_idx_file_is_refused_and_named(raw, name, change):
    (raw / name).write_bytes(change((raw / name).read_bytes()))

    with pytest.raises(DamagedFile, match=name):
        fashion_mnist(raw, part="train")


@pytest.mark.parametrize(
    ("images", "labels", "named"),
    [
        (np.zeros((10, 28, 28), np.uint8), np.zeros(9, np.uint8), "labels"),
        (np.zeros((10, 28, 28), np.uint8), np.full(10, 10, np.uint8), "labels"),
        (np.zeros((10, 27, 28), np.uint8), np.zeros(10, np.uint8), "images"),
        (np.zeros((0, 28, 28), np.uint8), np.zeros(0, np.uint8), "images"),
    ],
)
def test_files_that_do_not_belong_together_are_refused(tmp_path, images, labels, named):
    write(tmp_path, "train", images, labels)

    with pytest.raises(DamagedFile, match=f"train-{named}"):
        fashion_mnist(tmp_path, part="train")
