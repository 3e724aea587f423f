"""Images of the user's own: what is read, in which order, and what is refused with its name."""

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file

from touchstone.own_images import Shaping, named, own_images
from touchstone.records import DamagedFile


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


def test_pictures_are_read_as_they_are_or_as_asked(tmp_path):
    write(tmp_path, ["a/1.png", "b/1.png"])
    held = own_images(tmp_path)

    plain, _, _ = held.read(range(2), Shaping())
    asked, _, _ = held.read(range(2), Shaping((4, 3), "rgb"))

    assert plain.shape == (2, 1, 6, 6) and plain.dtype == np.uint8
    assert plain[1].tolist() == np.full((1, 6, 6), 10).tolist()
    assert asked.shape == (2, 3, 4, 3)


def test_another_shape_is_named_with_both_shapes(tmp_path):
    write(tmp_path, ["a/1.png", "b/1.png"])
    write(tmp_path, ["b/2.png"], side=7)

    with pytest.raises(ValueError, match=r"b/2\.png is 1 x 7 x 7 .* a/1\.png is 1 x 6 x 6"):
        own_images(tmp_path).read(range(3), Shaping())


def test_broken_pictures_are_counted_and_named(tmp_path):
    write(tmp_path, [f"a/{number}.png" for number in range(8)] + ["b/1.png"])
    for number in range(7):
        (tmp_path / f"a/{number}.png").write_bytes(b"torn")

    images, broken, good = own_images(tmp_path).read(range(9), Shaping())

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
        read, broken, _ = held.read(range(5), Shaping())
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

    _, broken, _ = own_images(tmp_path / "set.npz").read(range(3), Shaping())

    assert broken == [("set.npz[1]", "holds NaN or infinity")]
