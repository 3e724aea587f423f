"""Images of the user's own: what is read, in which order, and what is refused with its name."""

import io
import random
import struct
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file

from touchstone.data.ingest.user_images import named, own_images
from touchstone.data.ingest.user_pictures import Shaping
from touchstone.records.damage import DamagedFile


def write(folder, names, side=6):
    for value, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((side, side), 10 * value, np.uint8)).save(path)


def test_classes_are_numbered_by_name_and_numbers_are_themselves(tmp_path):
    write(tmp_path / "words", ["dog/1.png", "cat/1.png"])
    write(tmp_path / "numbers", ["2/1.png", "10/1.png", "0/1.png"])

    assert own_images(tmp_path / "words").classes == ("cat", "dog")
    assert own_images(tmp_path / "words", ("dog", "cat")).labels.tolist() == [1, 0]
    found = own_images(tmp_path / "numbers")
    assert dict(zip(found.names, found.labels.tolist(), strict=True)) == {"0/1.png": 0, "10/1.png": 10, "2/1.png": 2}


def test_a_class_that_is_stated_twice_is_refused(tmp_path):
    write(tmp_path, ["cat/a.png", "dog/a.png"])

    with pytest.raises(ValueError, match="classes: cat is there twice; name each class once"):
        own_images(tmp_path, ("cat", "dog", "cat"))


def test_pictures_are_read_as_they_are_or_as_asked(tmp_path):
    write(tmp_path, ["a/1.png", "b/1.png"])
    held = own_images(tmp_path)

    plain, *_ = held.read(range(2), Shaping())
    asked, *_ = held.read(range(2), Shaping((4, 3), "rgb"))

    assert plain.shape == (2, 1, 6, 6) and plain.dtype == np.uint8
    assert plain[1].tolist() == np.full((1, 6, 6), 10).tolist()
    assert asked.shape == (2, 3, 4, 3)


@pytest.mark.parametrize("levels", [np.arange(36, dtype=np.uint16) * 1700, np.linspace(0, 1, 36, dtype=np.float32)])
def test_pictures_of_other_than_8_bits_are_not_clipped(tmp_path, levels):
    write(tmp_path, ["a/1.png"])
    Image.fromarray(levels.reshape(6, 6)).save(tmp_path / "a/2.tiff")

    _, broken, good, _ = own_images(tmp_path).read(range(2), Shaping(colour="gray"))

    assert good == [0] and broken[0][0] == "a/2.tiff" and "its pixels are not of 8 bits" in broken[0][1]


def test_another_shape_is_named_with_both_shapes(tmp_path):
    write(tmp_path, ["a/1.png", "b/1.png"])
    write(tmp_path, ["b/2.png"], side=7)

    with pytest.raises(ValueError, match=r"b/2\.png is 1 x 7 x 7 .* a/1\.png is 1 x 6 x 6"):
        own_images(tmp_path).read(range(3), Shaping())


def test_broken_pictures_are_counted_and_named(tmp_path):
    write(tmp_path, [f"a/{number}.png" for number in range(8)] + ["b/1.png"])
    for number in range(7):
        (tmp_path / f"a/{number}.png").write_bytes(b"torn")

    images, broken, good, _ = own_images(tmp_path).read(range(9), Shaping())

    assert len(images) == 2 and good == [7, 8]
    assert named(broken).startswith("7 broken images: a/0.png (") and named(broken).endswith("; and 2 more")


@pytest.mark.parametrize("shape", [(5, 6, 6), (5, 6, 6, 3), (5, 3, 6, 6)])
def test_arrays_come_in_every_usual_order(tmp_path, shape):
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    labels = np.array([0, 1, 2, 0, 1])
    np.savez(tmp_path / "set.npz", images=images, labels=labels)
    save_file({"images": images, "labels": labels}, tmp_path / "set.safetensors")

    for name in ("set.npz", "set.safetensors"):
        held = own_images(tmp_path / name)
        read, broken, *_ = held.read(range(5), Shaping())
        assert read.shape == (5, 3 if len(shape) == 4 else 1, 6, 6) and not broken
        assert held.labels.tolist() == labels.tolist()


@pytest.mark.parametrize(
    ("arrays", "told"),
    [
        ({"x": np.zeros(3)}, "expected the arrays images and labels, found x"),
        ({"images": np.full((3, 4, 4), -1.5), "labels": np.arange(3)}, "before any normalisation"),
        ({"images": np.zeros((3, 4, 4)), "labels": np.arange(4)}, "for each of 3 images"),
        ({"images": np.zeros((3, 7, 4, 4)), "labels": np.arange(3)}, "expected .N, H, W."),
        ({"images": np.array([None]), "labels": np.arange(1)}, "not a whole file of plain arrays"),
    ],
)
def test_arrays_that_are_no_images_are_refused(tmp_path, arrays, told):
    np.savez(tmp_path / "set.npz", **arrays)

    with pytest.raises(DamagedFile, match=told):
        own_images(tmp_path / "set.npz")


def test_a_row_of_nan_is_a_broken_image(tmp_path):
    images = np.zeros((3, 4, 4))
    images[1, 0, 0] = np.nan
    np.savez(tmp_path / "set.npz", images=images, labels=np.arange(3))

    _, broken, *_ = own_images(tmp_path / "set.npz").read(range(3), Shaping())

    assert broken == [("set.npz[1]", "contains NaN or infinity")]


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["0/1.png", "99999999999/1.png"], "99999999999: class numbers go up to 99,999"),
        (["1/1.png", "01/1.png"], "01 and 1 are both class 1"),
    ],
)
def test_numbers_that_no_classes_have_are_refused(tmp_path, names, told):
    write(tmp_path, names)

    with pytest.raises(DamagedFile, match=told):
        own_images(tmp_path)


@pytest.mark.parametrize("name", ["²", "٣", "1_000", "-1", "1.0"])
def test_what_only_looks_like_a_number_is_a_word(tmp_path, name):
    write(tmp_path, [f"{name}/1.png", "7/1.png"])

    assert own_images(tmp_path).classes == tuple(sorted([name, "7"]))


def test_labels_beyond_all_classes_are_refused(tmp_path):
    np.savez(tmp_path / "set.npz", images=np.zeros((2, 4, 4), np.uint8), labels=np.array([0, 10**12]))

    with pytest.raises(DamagedFile, match="labels go up to 1,000,000,000,000; at most 99,999"):
        own_images(tmp_path)


def png(width, height):
    """A PNG of black pixels, as large as it says."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    lines = zlib.compress(bytes((width + 1) * height), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", lines) + chunk(b"IEND", b"")


def test_a_picture_that_unpacks_without_end_is_broken(tmp_path):
    write(tmp_path, ["a/1.png", "b/1.png"])
    (tmp_path / "b/2.png").write_bytes(png(10_000, 9_000))  # 90 million pixels of 90 KB

    _, broken, good, _ = own_images(tmp_path).read(range(3), Shaping())

    assert good == [0, 1]
    assert broken[0][0] == "b/2.png" and "90000000 pixels" in broken[0][1]


def test_pictures_that_together_are_too_large_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("touchstone.data.ingest.user_images.MOST_BYTES", 10**9)
    write(tmp_path, [f"a/{number}.png" for number in range(20)])
    (tmp_path / "a/0.png").write_bytes(png(9_000, 9_000))

    with pytest.raises(ValueError, match=r"20 images of 1 x 9000 x 9000 .* 1\.6 GB.* give a size"):
        own_images(tmp_path).read(range(20), Shaping())


POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 6 6\n%%EndComments\n%%EOF\n"


def test_only_picture_formats_are_opened_whatever_the_name(tmp_path, monkeypatch):
    """PIL hands PostScript to Ghostscript, a program."""
    write(tmp_path, ["a/1.png"])
    (tmp_path / "a/2.png").write_bytes(POSTSCRIPT)
    monkeypatch.setattr("PIL.EpsImagePlugin.Ghostscript", lambda *arguments, **settings: pytest.fail("was run"))

    _, broken, good, _ = own_images(tmp_path).read(range(2), Shaping())

    assert good == [0] and broken[0] == ("a/2.png", "cannot identify image file")


def npz(**files):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in files.items():
            packed.writestr(f"{name}.npy", content)
    return data.getvalue()


def npy(shape, kind="|u1", data=b""):
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    header = header.ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data


def test_arrays_that_claim_more_than_they_hold_are_refused(tmp_path):
    (tmp_path / "set.npz").write_bytes(npz(images=npy((10**9, 10**6, 3)), labels=npy((1,), "<i8", bytes(8))))

    with pytest.raises(DamagedFile, match=r"set\.npz: not a whole file of plain arrays"):
        own_images(tmp_path)


def test_arrays_that_unpack_without_end_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("touchstone.data.ingest.user_arrays.MOST_BYTES", 10_000_000)
    (tmp_path / "set.npz").write_bytes(npz(images=npy((10_000_000,), data=bytes(10_000_000)), labels=npy((0,))))

    with pytest.raises(DamagedFile, match=r"set\.npz: unpacks to 0\.01 GB; at most 0\.01 GB"):
        own_images(tmp_path)


def test_spoilt_files_are_refused_in_words(tmp_path):
    """400 changes to arrays and pictures: read, broken or refused, and nothing else."""
    chance = random.Random(0)
    image = np.random.default_rng(0).integers(0, 256, (5, 6, 6), np.uint8)
    np.savez_compressed(tmp_path / "a.npz", images=image, labels=np.arange(5))
    save_file({"images": image, "labels": np.arange(5)}, tmp_path / "a.safetensors")
    whole = [(".npz", (tmp_path / "a.npz").read_bytes()), (".safetensors", (tmp_path / "a.safetensors").read_bytes())]
    for kind in ("png", "jpeg", "bmp", "ppm", "tiff", "webp"):
        data = io.BytesIO()
        Image.fromarray(image[0]).convert("RGB").save(data, kind)
        whole.append((f".{kind}", data.getvalue()))
    for draw in range(400):
        suffix, content = whole[draw % len(whole)]
        data = bytearray(content)
        for _ in range(chance.randint(1, 6)):
            data[chance.randrange(len(data))] = chance.choice([0, 1, 127, 255, chance.randrange(256)])
        folder = tmp_path / str(draw) / "a"
        folder.mkdir(parents=True)
        (folder / f"1{suffix}").write_bytes(data[: len(data) if draw % 3 else chance.randrange(1, len(data))])
        try:
            held = own_images(folder.parent)
            held.read(range(min(len(held), 10)), Shaping())
        except (DamagedFile, ValueError) as error:
            assert str(folder.parent) in str(error) or "give a size" in str(error)


def test_a_tiff_whose_places_of_pixels_are_fractions_is_broken_and_no_crash(tmp_path):
    file = io.BytesIO()
    Image.new("L", (3, 3)).save(file, "TIFF")
    data = bytearray(file.getvalue())
    place = data.index((273).to_bytes(2, "little"), int.from_bytes(data[4:8], "little"))  # the tag StripOffsets
    data[place + 2 : place + 4] = (11).to_bytes(2, "little")  # of type float
    (tmp_path / "0").mkdir()
    (tmp_path / "0" / "odd.tif").write_bytes(data)

    images, broken, good, _ = own_images(tmp_path).read([0], Shaping())

    assert (len(images), [name for name, _ in broken], good) == (0, ["0/odd.tif"], [])


def test_only_the_images_that_are_read_count_towards_the_limit_of_memory(tmp_path, monkeypatch):
    write(tmp_path, [f"0/{number}.png" for number in range(20)])
    monkeypatch.setattr("touchstone.data.ingest.user_images.MOST_BYTES", 100)

    images, *_ = own_images(tmp_path).read(iter([3, 7]), Shaping())

    assert len(images) == 2
    with pytest.raises(ValueError, match=r"3 images of 1 x 6 x 6 .* give a size to resize to"):
        own_images(tmp_path).read([0, 1, 2], Shaping())


# Folders with pictures, and whether they are parts of a data set.
PARTED = {
    "the same classes in each part": (["train/ant", "train/bee", "test/ant", "test/bee"], True),
    "parts by any names": (["day1/ant", "day1/bee", "day2/ant", "day2/bee"], True),
    "a class that one part lacks": (["train/ant", "train/bee", "val/ant"], True),
    "parts without classes": (["Train", "Test"], True),
    "one part": (["train/ant", "train/bee"], True),
    "the same one folder in each class": (["ant/images", "bee/images"], False),
    "a class called train": (["train", "car", "bus"], False),
    "folders within one class": (["ant/left", "ant/right", "bee"], False),
}


@pytest.mark.parametrize("case", PARTED)
def test_parts_of_a_data_set_are_no_classes(tmp_path, case):
    folders, refused = PARTED[case]
    write(tmp_path, [f"{name}/1.png" for name in folders])

    if refused:
        with pytest.raises(DamagedFile, match=r"look like parts of a data set, not like classes.*Give one of them"):
            own_images(tmp_path)
    else:
        assert len(own_images(tmp_path)) == len(folders)


def test_the_user_may_state_that_parts_are_classes(tmp_path):
    write(tmp_path, ["train/ant/1.png", "test/ant/1.png"])

    assert own_images(tmp_path, ("test", "train")).labels.tolist() == [0, 1]


@pytest.mark.parametrize("name", ["cat.png", "cat"])
def test_a_single_picture_is_no_set_of_classes_but_one_image(tmp_path, name):
    Image.fromarray(np.zeros((6, 6), np.uint8)).save(tmp_path / name, "PNG")

    with pytest.raises(DamagedFile, match=r"cat.*: is one picture; give the folder"):
        own_images(tmp_path / name)
    assert own_images(tmp_path / name, labelled=False).read([0], Shaping()).images.shape == (1, 1, 6, 6)


@pytest.mark.parametrize("name", ["set.npy", "list.csv", "pictures.zip"])
def test_a_file_of_another_kind_is_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"words")

    with pytest.raises(DamagedFile, match=rf"{name}: is no file of images: expected pictures, one \.npz"):
        own_images(tmp_path / name)


def test_two_array_files_are_named(tmp_path):
    for name in ("train.npz", "test.npz"):
        np.savez(tmp_path / name, images=np.zeros((2, 4, 4)), labels=np.arange(2))

    with pytest.raises(DamagedFile, match=r"contains 2 array files \(test\.npz, train\.npz\); give one of them"):
        own_images(tmp_path)


@pytest.mark.parametrize("names", [("Cat", "cat"), ("cafe\u0301", "caf\u00e9")])
def test_folders_that_differ_only_in_how_they_are_written_are_refused(tmp_path, names):
    write(tmp_path, [f"{name}/1.png" for name in names])

    with pytest.raises(DamagedFile, match=r"differ only in upper and lower case"):
        own_images(tmp_path)
    assert own_images(tmp_path, names).classes == names


def test_a_size_that_no_memory_holds_is_refused_before_a_picture_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr("touchstone.data.ingest.user_images.MOST_BYTES", 10**6)
    write(tmp_path, ["0/1.png"])
    (tmp_path / "0/1.png").write_bytes(b"torn")

    with pytest.raises(ValueError, match=r"1 images of 1 x 4000 x 4000 .* at most 0\.0 GB: give a size"):
        own_images(tmp_path).read([0], Shaping((4000, 4000)))


def test_a_size_beyond_the_free_memory_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("psutil.virtual_memory", lambda: type("Memory", (), {"available": 100})())
    write(tmp_path, ["0/1.png"])

    with pytest.raises(ValueError, match=r"5 times as much memory is needed, but 0\.0 GB are free"):
        own_images(tmp_path).read([0], Shaping())
