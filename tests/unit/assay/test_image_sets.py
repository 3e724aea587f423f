"""The user's images as an assay reads them: what is skipped, left out or changed is said."""

import numpy as np
import pytest
from PIL import Image

from touchstone.assay import image_sets, inspection
from touchstone.assay.study_file import Place
from touchstone.data.own_images import own_images
from touchstone.data.subset import subset
from typed_words import assay_arguments


@pytest.fixture
def typed(tmp_path):
    """Arguments with 60 pictures of three classes as --data."""
    (tmp_path / "model.pt2").touch()
    write(tmp_path / "pictures")

    def parse(*flags):
        return assay_arguments(str(tmp_path / "model.pt2"), "--data", str(tmp_path / "pictures"), *map(str, flags))

    return parse


def write(folder, kind="png", shift=0):
    for number in range(60):
        path = folder / "abc"[number % 3] / f"{number}.{kind}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((6, 6), 4 * number + shift, np.uint8)).save(path)


def test_what_is_skipped_or_changed_is_a_note_and_a_remark_of_the_report(typed, tmp_path):
    (tmp_path / "pictures/a/more.heic").write_bytes(b"x")
    clear = Image.new("LA", (6, 6), (100, 100)).convert("RGBA")
    clear.save(tmp_path / "pictures/a/0.png")

    found = image_sets.labelled_images(typed("--gray"))

    assert found.remarks == (
        "skipped in pictures: 1 file that PIL here does not open as pictures (1 .heic)",
        "in pictures, read without their transparency: 1 image, such as a/0.png",
    )
    assert found.notes[:2] == found.remarks


def test_the_attacked_images_are_those_that_a_study_attacks(typed, tmp_path):
    (tmp_path / "pictures/b/4.png").write_bytes(b"torn")
    taken = typed("--leave-out-broken")
    study = subset(own_images(taken.data, part="test", broken="leave_out"), count=12)

    found = image_sets.labelled_images(taken, most=None)

    attacked = found.images[found.attacked[:12]]
    assert {image.tobytes() for image in attacked} == {
        (image * 255).round().astype("uint8").tobytes() for image in study.images
    }
    assert len(found.attacked) == found.counts["test"] and not set(found.attacked) & set(found.others)
    assert len(found.attacked) + len(found.others) == len(found.images) == 59


def test_sets_of_no_class_have_remarks_of_their_own(typed, tmp_path):
    write(tmp_path / "other", shift=1)
    (tmp_path / "other/notes.txt").touch()
    taken = typed("--ood", tmp_path / "other")

    ((_, count, broken, remarks),) = image_sets.ood_sets(taken, image_sets.labelled_images(taken))

    assert (count, broken, remarks) == (
        60,
        False,
        ("skipped in other: 1 file that PIL here does not open as pictures (1 .txt)",),
    )


def test_a_broken_picture_in_a_set_of_no_class_is_known_although_the_labelled_ones_are_whole(typed, tmp_path):
    write(tmp_path / "other", shift=1)
    (tmp_path / "other/a/0.png").write_bytes(b"torn")
    taken = typed("--ood", tmp_path / "other", "--leave-out-broken")

    labelled = image_sets.labelled_images(taken)
    ((_, count, broken, (remark,)),) = image_sets.ood_sets(taken, labelled)

    assert "broken" not in labelled.settings and (count, broken) == (60, True)
    assert remark.startswith("left out of other: 1 broken image: a/0.png (")


def test_a_class_of_broken_pictures_keeps_its_number(typed, tmp_path):
    (tmp_path / "pictures/aa").mkdir()
    (tmp_path / "pictures/aa/1.png").write_bytes(b"torn")

    found = image_sets.labelled_images(typed("--leave-out-broken"))

    assert found.numbering.names == ("a", "aa", "b", "c")
    assert found.remarks[0].startswith("left out of pictures: 1 broken image: aa/1.png (")


def test_pictures_of_two_sizes_name_the_folder_and_the_option(typed, tmp_path):
    Image.new("L", (7, 7)).save(tmp_path / "pictures/a/0.png")

    with pytest.raises(ValueError, match=r"pictures: a/12\.png is 1 x 6 x 6 .* give a size to resize to \(--resize"):
        image_sets.labelled_images(typed())


def test_more_images_than_the_test_part_has_are_refused_before_the_model_is_tried(typed, tmp_path, monkeypatch):
    monkeypatch.setattr(inspection.user_models, "open_model", lambda *given, **more: None)

    with pytest.raises(ValueError, match="--images 31: a study attacks half of them, 30 of your 60"):
        inspection.inspect(typed("--images", 31), Place(tmp_path / "study.yaml"))
