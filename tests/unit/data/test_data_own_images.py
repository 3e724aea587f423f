"""Sets of the user's own images: classes, ids and parts, whichever place of a source they are read from."""

import numpy as np
import pytest
from PIL import Image

from touchstone.data.own_images import own_images
from touchstone.settings.limits import largest


def write(folder, names):
    for value, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((4, 4), 10 * value, np.uint8)).save(path)


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        ({"train": "daisy rose tulip", "test": "daisy tulip"}, {"train": [0, 1, 2], "test": [0, 2]}),
        ({"train": "daisy rose", "test": "rose tulip"}, {"train": [0, 1], "test": [1, 2]}),
        ({"train": "a b", "test": "b c", "val": "c d"}, {"train": [0, 1], "test": [1, 2], "val": [2, 3]}),
        ({"train": "0 2 10", "test": "2 10"}, {"train": [0, 2, 10], "test": [2, 10]}),
        ({"train": "daisy rose", "other/faces": "boats cars"}, {"train": [0, 1], "other/faces": [0, 1]}),
        ({"train": "bus train", "test": "train"}, {"train": [0, 1], "test": [1]}),
    ],
)
def test_classes_have_the_same_number_in_every_part_of_a_source(tmp_path, names, labels):
    write(tmp_path, [f"{part}/{name}/1.png" for part, words in names.items() for name in words.split()])

    read = {part: sorted(own_images(tmp_path, inside=part).labels.tolist()) for part in names}

    assert read == labels


def test_classes_that_are_given_are_the_only_ones(tmp_path):
    write(tmp_path, ["train/daisy/1.png", "train/tulip/1.png", "test/rose/1.png", "test/tulip/1.png"])

    assert own_images(tmp_path, inside="train", classes=["tulip", "daisy"]).labels.tolist() == [1, 0]


def test_rows_of_a_file_inside_a_source_can_be_left_out_by_their_ids(tmp_path):
    for name in ("train", "test"):
        np.savez(tmp_path / f"{name}.npz", images=np.zeros((3, 4, 4)), labels=np.arange(3))

    assert own_images(tmp_path, inside="train.npz").example_ids.max() <= largest("rows")


@pytest.mark.parametrize("labelled", [True, False])
def test_a_picture_has_one_id_whichever_place_of_a_source_it_is_read_from(tmp_path, labelled):
    write(tmp_path, ["cat/a/1.png", "cat/a/2.png", "dog/b/1.png", "dog/b/2.png"])
    for name in ("LICENSE.txt", "cat/a/1.txt", "dog/notes"):
        (tmp_path / name).write_text("no picture")

    whole = own_images(tmp_path, labelled=labelled)
    parts = [own_images(tmp_path, inside=part, labelled=labelled) for part in ("cat", "dog")]

    assert whole.example_ids.tolist() == np.concatenate([part.example_ids for part in parts]).tolist()
    assert np.array_equal(whole.images, np.concatenate([part.images for part in parts]))


@pytest.mark.parametrize("others", [["LICENSE.txt"], ["LICENSE.txt", "more.npz"], ["a.png"]])
def test_a_row_of_arrays_has_one_id_whichever_place_of_a_source_it_is_read_from(tmp_path, others):
    for name in ("own/LICENSE", *others):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("no picture")
    np.savez(tmp_path / "own/some.npz", images=np.zeros((3, 4, 4)), labels=np.arange(3))

    folder, file = (own_images(tmp_path, inside=inside).example_ids for inside in ("own", "own/some.npz"))

    assert folder.tolist() == file.tolist()
    if others == ["LICENSE.txt"]:
        assert folder.tolist() == own_images(tmp_path).example_ids.tolist() == [0, 1, 2]
    else:
        assert folder.min() > 1000  # pictures and rows of other files have the lower ids


@pytest.mark.parametrize("count", [1, 2])
def test_a_part_that_is_empty_is_refused_by_its_name(tmp_path, count):
    write(tmp_path, [f"cat/{number}.png" for number in range(count)])

    with pytest.raises(
        ValueError, match=rf"part: the part calibration of the {count} images? of .* is empty; add images"
    ):
        own_images(tmp_path, part="calibration")


def test_more_images_than_there_are_are_refused(tmp_path):
    np.savez(tmp_path / "some.npz", images=np.zeros((5, 4, 4)), labels=np.arange(5))

    assert len(own_images(tmp_path, limit=5).images) == 5
    with pytest.raises(ValueError, match=r"limit must be at most 5, the images of .*, got 100"):
        own_images(tmp_path, limit=100)


def test_classes_of_an_array_of_numbers_are_refused(tmp_path):
    np.savez(tmp_path / "some.npz", images=np.zeros((2, 4, 4)), labels=np.arange(2))

    with pytest.raises(
        ValueError, match=r"classes: .* has an array of class numbers and no class folders; renumber it"
    ):
        own_images(tmp_path, classes=["dog", "cat"])


def test_a_part_of_images_without_labels_is_refused(tmp_path):
    write(tmp_path, ["1.png", "2.png"])

    with pytest.raises(ValueError, match="part: fit is stratified by class, and labelled: false gives none"):
        own_images(tmp_path, labelled=False, part="fit")
