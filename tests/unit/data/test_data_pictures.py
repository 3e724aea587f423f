"""Photographs, textures and faces: out-of-distribution sets that come from files."""

import numpy as np
import pytest
from PIL import Image

from touchstone.data.faces import faces
from touchstone.data.photograph_patches import photograph_patches
from touchstone.data.sources.skimage_faces import skimage_faces
from touchstone.data.sources.skimage_textures import skimage_textures
from touchstone.data.sources.sklearn_photographs import sklearn_photographs
from touchstone.data.texture_patches import texture_patches
from touchstone.records.damage import DamagedFile


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photographs")
    sklearn_photographs(folder)
    return folder


@pytest.fixture(scope="module")
def textures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("textures")
    skimage_textures(folder)
    return folder


@pytest.fixture(scope="module")
def face_file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("faces")
    skimage_faces(folder)
    return folder


def test_unscaled_patches_are_cut_out_of_the_gray_photograph(photographs):
    gray = np.asarray(Image.open(photographs / "china.jpg").convert("L"))

    examples = photograph_patches(photographs, size=28, scale=1)

    across = 640 // 28
    np.testing.assert_array_equal(np.rint(examples.images[across + 2, 0] * 255), gray[28:56, 56:84])


def test_patches_come_from_both_photographs_and_do_not_overlap(photographs):
    examples = photograph_patches(photographs)

    assert len(examples) == 154
    half = photograph_patches(photographs, count=2)
    assert half.example_ids.tolist() == [0, 77]
    np.testing.assert_array_equal(half.images, examples.images[[0, 77]])


def test_scaling_shrinks_the_photograph_before_it_is_cut(photographs):
    gray = np.asarray(Image.open(photographs / "china.jpg").convert("L")) / 255

    patch = photograph_patches(photographs, size=28, scale=0.5).images[0, 0]

    block_means = gray[:56, :56].reshape(28, 2, 28, 2).mean(axis=(1, 3))
    assert np.abs(patch - block_means).mean() < 0.02


def test_textures_of_three_kinds_are_cut(textures):
    examples = texture_patches(textures)

    assert len(examples) == 3 * 81
    assert examples.notes["licence"] == "CC0 1.0"


def test_the_upper_and_the_lower_patches_of_the_textures_share_none_and_leave_none(textures):
    everything, upper, lower = (texture_patches(textures, part=part) for part in ("all", "upper", "lower"))

    assert not set(upper.example_ids) & set(lower.example_ids)
    assert sorted([*upper.example_ids, *lower.example_ids]) == list(everything.example_ids)
    assert list(upper.example_ids[:41]) == [*range(40), 81]
    np.testing.assert_array_equal(upper.images[40], everything.images[81])


@pytest.mark.parametrize("name", ["brick.png", "gravel.png"])
def test_a_truncated_texture_is_refused_and_named(textures, tmp_path, name):
    for path in textures.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:5000])

    with pytest.raises(DamagedFile, match=name):
        texture_patches(tmp_path)


def test_a_missing_photograph_is_named(photographs, tmp_path):
    (tmp_path / "china.jpg").write_bytes((photographs / "china.jpg").read_bytes())

    with pytest.raises(DamagedFile, match=r"flower\.jpg: no such raw file"):
        photograph_patches(tmp_path)


def test_faces_at_their_own_size_are_the_file(face_file):
    examples = faces(face_file, size=25)

    np.testing.assert_allclose(examples.images[:, 0], np.load(face_file / "faces.npy"), atol=0.5 / 255 + 1e-6)
    assert examples.labels.tolist() == [-1] * 100


@pytest.mark.parametrize("value", [np.nan, 1.5, -0.5])
def test_faces_outside_zero_and_one_are_refused_and_named(face_file, tmp_path, value):
    values = np.load(face_file / "faces.npy")
    values[3, 4, 5] = value
    np.save(tmp_path / "faces.npy", values)

    with pytest.raises(DamagedFile, match=r"faces\.npy"):
        faces(tmp_path)


def test_a_truncated_face_file_is_refused_and_named(face_file, tmp_path):
    (tmp_path / "faces.npy").write_bytes((face_file / "faces.npy").read_bytes()[:-8])

    with pytest.raises(DamagedFile, match=r"faces\.npy"):
        faces(tmp_path)


def test_halves_of_overlapping_textures_are_refused(textures):
    with pytest.raises(ValueError, match="the halves would share pixels"):
        texture_patches(textures, stride=14, part="upper")
    assert len(texture_patches(textures, stride=14)) > len(texture_patches(textures))
