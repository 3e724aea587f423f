import numpy as np
import pytest

from touchstone.data.digits import digits
from touchstone.data.sources.sklearn_digits import sklearn_digits
from touchstone.records.damage import DamagedFile

PARTS = {"train": 809, "validation": 179, "calibration": 180, "detector_train": 270, "test": 359}


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    folder = tmp_path_factory.mktemp("digits")
    sklearn_digits(folder)
    return folder


@pytest.fixture(scope="module")
def table(raw):
    return np.loadtxt(raw / "digits.csv", delimiter=",").astype(int)


def test_parts_have_the_sizes_of_the_design_and_share_no_row(raw):
    parts = {part: digits(raw, part=part, size=8) for part in PARTS}

    assert {part: len(examples) for part, examples in parts.items()} == PARTS
    assert sorted(np.concatenate([examples.example_ids for examples in parts.values()])) == list(range(1797))


def test_every_part_holds_the_classes_in_proportion(raw, table):
    whole = np.bincount(table[:, 64]) / 1797

    for part, count in PARTS.items():
        shares = np.bincount(digits(raw, part=part, size=8).labels) / count
        assert np.abs(shares - whole).max() * count <= 1.5


def test_images_of_eight_pixels_are_the_source_divided_by_sixteen(raw, table):
    examples = digits(raw, part="test", size=8)

    expected = table[examples.example_ids, :64].reshape(-1, 1, 8, 8) / 16
    np.testing.assert_allclose(examples.images, expected, atol=0.5 / 255 + 1e-6)
    np.testing.assert_array_equal(examples.labels, table[examples.example_ids, 64])


def test_resizing_is_bilinear_at_every_pixel(raw, table):
    examples = digits(raw, part="test", size=28)
    row = table[examples.example_ids[0], :64].reshape(8, 8) / 16

    # Pixel centres: place i of 28 lies at (i + .5) * 8 / 28 - .5 of 8, edges repeated.
    place = np.clip((np.arange(28) + 0.5) * 8 / 28 - 0.5, 0, 7)
    low = np.minimum(place.astype(int), 6)
    weights = np.zeros((28, 8))
    weights[np.arange(28), low] = 1 - (place - low)
    weights[np.arange(28), low + 1] = place - low
    np.testing.assert_allclose(examples.images[0, 0], weights @ row @ weights.T, atol=0.5 / 255 + 1e-5)


def test_interpolation_licence_and_origin_stand_in_the_notes(raw):
    notes = digits(raw, part="test").notes

    assert notes["interpolation"].startswith("8x8 to 28x28, bilinear")
    assert notes["licence"] == "CC BY 4.0"
    assert "UCI" in notes["origin"]


def test_split_seed_moves_rows_but_not_how_many(raw):
    first, other = digits(raw, part="test", size=8), digits(raw, part="test", size=8, split_seed=1)

    assert len(first) == len(other)
    assert set(first.example_ids) != set(other.example_ids)


def test_limit_takes_some_rows_of_the_same_part(raw):
    few, all_rows = digits(raw, part="test", size=8, limit=30), digits(raw, part="test", size=8)

    assert len(few) == 30
    assert set(few.example_ids) < set(all_rows.example_ids)
    assert np.bincount(few.labels, minlength=10).min() >= 2


@pytest.mark.parametrize(
    "change",
    [
        lambda data: b"",
        lambda data: data[: len(data) // 2],
        lambda data: data[:-3],
        lambda data: data[: data.index(b"\n", 99_999) + 1],
        lambda data: data.replace(b"16", b"17", 1),
        lambda data: data.replace(b"16", b"nan", 1),
        lambda data: data.replace(b"16", b"-1", 1),
        lambda data: data.replace(b"16", b"1.5", 1),
        lambda data: data + b"0,0\n",
        lambda data: data.replace(b",0\n", b",10\n", 1),
        lambda data: b"\xff" + data,
        lambda data: b"9" * 30 + data,
    ],
)
def test_a_damaged_table_is_refused_and_named(raw, tmp_path, change):
    (tmp_path / "digits.csv").write_bytes(change((raw / "digits.csv").read_bytes()))

    with pytest.raises(DamagedFile, match=r"digits\.csv"):
        digits(tmp_path, part="train")


def test_an_empty_folder_is_refused_and_named(tmp_path):
    with pytest.raises(DamagedFile, match=r"digits\.csv: no such raw file"):
        digits(tmp_path, part="train")
