import struct
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from touchstone.data.ingest.raw_files import check_folder, package_file, read_array, read_gray, read_idx
from touchstone.digests import folder_digest
from touchstone.records.damage import DamagedFile


def idx(array):
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "raw"
    (made / "sub").mkdir(parents=True)
    (made / "b.txt").write_bytes(b"two")
    (made / "sub" / "a.txt").write_bytes(b"one")
    return made


def test_check_folder_accepts_the_digest_it_expects(folder):
    check_folder(folder, folder_digest(folder), "letters")


def test_check_folder_names_source_folder_and_both_digests(folder):
    expected = "sha256:" + "0" * 64

    with pytest.raises(DamagedFile) as error:
        check_folder(folder, expected, "letters")

    for part in (str(folder), "letters", expected, folder_digest(folder), "sub/a.txt"):
        assert part in str(error.value)


@pytest.mark.parametrize("name", ["empty", "missing", "marked"])
def test_check_folder_says_that_there_are_no_raw_files(tmp_path, name):
    (tmp_path / "empty").mkdir()
    (tmp_path / "marked").mkdir()
    (tmp_path / "marked" / ".snakemake_timestamp").touch()

    with pytest.raises(DamagedFile, match=f"{name}: no raw files of letters"):
        check_folder(tmp_path / name, "sha256:1", "letters")


def test_package_file_finds_data_without_importing_the_package():
    path = package_file("sklearn", "datasets/data/digits.csv.gz")

    assert path.is_file()


@pytest.mark.parametrize("package", ["sklearn", "no_such_package_here"])
def test_package_file_names_package_and_file_that_are_missing(package):
    with pytest.raises(FileNotFoundError, match=rf"no\.csv .* {package}"):
        package_file(package, "no.csv")


def test_read_gray_turns_a_colour_picture_into_luma(tmp_path):
    Image.new("RGB", (3, 2), (255, 0, 0)).save(tmp_path / "red.png")

    gray = read_gray(tmp_path / "red.png")

    np.testing.assert_array_equal(gray, np.full((2, 3), round(0.299 * 255), np.uint8))


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize("keep", [0, 1, 20, 0.5, 0.98])
def test_read_gray_refuses_a_truncated_picture_and_names_it(tmp_path, kind, keep):
    file = BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40), np.uint8)).save(file, kind)
    data = file.getvalue()
    (tmp_path / "cut.img").write_bytes(data[: keep if isinstance(keep, int) else int(keep * len(data))])

    with pytest.raises(DamagedFile, match=r"cut\.img"):
        read_gray(tmp_path / "cut.img")


def test_read_gray_refuses_every_flipped_byte_of_a_png_header(tmp_path):
    file = BytesIO()
    Image.new("L", (8, 8)).save(file, "PNG")
    data = bytearray(file.getvalue())

    for place in range(33):  # signature and IHDR, which its own checksum guards
        damaged = data.copy()
        damaged[place] ^= 0xFF
        (tmp_path / "flip.png").write_bytes(damaged)
        with pytest.raises(DamagedFile, match=r"flip\.png"):
            read_gray(tmp_path / "flip.png")


def test_read_array_returns_what_numpy_saved(tmp_path):
    array = np.arange(6, dtype="<f8").reshape(2, 3)
    np.save(tmp_path / "a.npy", array)

    np.testing.assert_array_equal(read_array(tmp_path / "a.npy", (2, 3), "<f8"), array)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((3, 2)), "shape"),
        (np.zeros((2, 3), np.float32), "shape"),
        (np.array([[1, 2, None], [4, 5, 6]], dtype=object), "shape"),
        (np.full((2, 3), np.nan), "NaN"),
        (np.full((2, 3), -np.inf), "NaN or infinity"),
    ],
)
def test_read_array_refuses_another_shape_or_type_pickles_and_nan(tmp_path, array, words):
    np.save(tmp_path / "a.npy", array, allow_pickle=True)

    with pytest.raises(DamagedFile, match=rf"a\.npy: .*{words}"):
        read_array(tmp_path / "a.npy", (2, 3), "<f8")


@pytest.mark.parametrize("change", [lambda data: data[:-1], lambda data: data + b"\0", lambda data: data[:50]])
def test_read_array_refuses_a_file_of_another_length(tmp_path, change):
    np.save(tmp_path / "a.npy", np.zeros((2, 3)))
    (tmp_path / "a.npy").write_bytes(change((tmp_path / "a.npy").read_bytes()))

    with pytest.raises(DamagedFile, match=r"a\.npy"):
        read_array(tmp_path / "a.npy", (2, 3), "<f8")


@pytest.mark.parametrize("shape", [(5,), (2, 3), (4, 2, 3)])
def test_read_idx_returns_what_an_independent_writer_wrote(tmp_path, shape):
    array = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    (tmp_path / "a-ubyte").write_bytes(idx(array))

    np.testing.assert_array_equal(read_idx(tmp_path / "a-ubyte", len(shape)), array)


def test_read_idx_refuses_every_truncation_and_names_the_file(tmp_path):
    data = idx(np.zeros((2, 2, 2), np.uint8))

    for length in range(len(data)):
        (tmp_path / "a-ubyte").write_bytes(data[:length])
        with pytest.raises(DamagedFile, match="a-ubyte"):
            read_idx(tmp_path / "a-ubyte", 3)


def test_read_idx_refuses_every_flipped_byte_of_the_header(tmp_path):
    data = bytearray(idx(np.zeros((2, 2, 2), np.uint8)))

    for place in range(16):
        damaged = data.copy()
        damaged[place] ^= 0xFF
        (tmp_path / "a-ubyte").write_bytes(damaged)
        with pytest.raises(DamagedFile, match="a-ubyte"):
            read_idx(tmp_path / "a-ubyte", 3)


def test_read_idx_refuses_labels_where_images_are_expected(tmp_path):
    (tmp_path / "a-ubyte").write_bytes(idx(np.zeros(4, np.uint8)))

    with pytest.raises(DamagedFile, match="00000801, expected 00000803"):
        read_idx(tmp_path / "a-ubyte", 3)


def test_read_idx_refuses_trailing_bytes(tmp_path):
    (tmp_path / "a-ubyte").write_bytes(idx(np.zeros(4, np.uint8)) + b"\0")

    with pytest.raises(DamagedFile, match="13 bytes, its header says 12"):
        read_idx(tmp_path / "a-ubyte", 1)


def test_a_missing_raw_file_is_named(tmp_path):
    with pytest.raises(DamagedFile, match=r"nothing-ubyte: no such raw file"):
        read_idx(tmp_path / "nothing-ubyte", 1)
