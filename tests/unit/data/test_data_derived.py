"""Sets made from another set: outliers, held-out classes, natural shifts."""

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from touchstone.data.class_split import class_split
from touchstone.data.held_out_classes import held_out_classes
from touchstone.data.ingest.example_notes import prepared
from touchstone.data.natural_shift import natural_shift
from touchstone.data.patch_shuffled import patch_shuffled
from touchstone.data.phase_scrambled import _scrambled, phase_scrambled
from touchstone.data.subset import subset
from touchstone.data.two_classes import two_classes
from touchstone.data.without_classes import without_classes
from touchstone.data.without_rows import without_rows
from touchstone.records.class_splits import class_order


@pytest.fixture
def generator():
    return np.random.default_rng(0)


def example_set(count=6, channels=1, size=28, seed=1):
    levels = np.random.default_rng(seed).integers(0, 256, (count, channels, size, size))
    ids = np.arange(count)[::-1] * 3 + 5
    return prepared(levels / 255, np.arange(count) % 3, ids, "letters", licence="CC0", origin="here")


@pytest.mark.parametrize("size", [7, 8])
@pytest.mark.parametrize("channels", [1, 3])
def test_scrambling_keeps_every_fourier_amplitude_before_clipping(generator, size, channels):
    images = example_set(channels=channels, size=size).images.astype(np.float64)

    scrambled = _scrambled(images, generator)

    np.testing.assert_allclose(np.abs(np.fft.fft2(scrambled)), np.abs(np.fft.fft2(images)), atol=1e-9)
    np.testing.assert_allclose(scrambled.mean(axis=(2, 3)), images.mean(axis=(2, 3)))
    assert np.abs(scrambled - images).mean() > 0.1


def test_scrambling_a_flat_image_changes_nothing(generator):
    flat = np.full((2, 1, 8, 8), 0.4)

    np.testing.assert_allclose(_scrambled(flat, generator), flat)


def test_scrambling_turns_all_channels_by_the_same_phases(generator):
    gray = example_set(size=8).images.astype(np.float64)

    scrambled = _scrambled(np.concatenate([gray, gray / 2], axis=1), generator)

    np.testing.assert_allclose(scrambled[:, 1], scrambled[:, 0] / 2)


def test_scrambled_images_have_no_class_and_keep_ids_in_order(generator):
    examples = example_set()

    outliers = phase_scrambled(examples, generator, count=4)

    assert outliers.example_ids.tolist() == [5, 8, 11, 14]
    assert outliers.labels.tolist() == [-1] * 4
    assert outliers.source == "letters/phase_scrambled"
    assert outliers.notes["licence"] == "CC0"


def test_scrambling_more_than_there_are_is_refused(generator):
    with pytest.raises(ValueError, match="count must be at most 6"):
        phase_scrambled(example_set(), generator, count=7)


@pytest.mark.parametrize("channels", [1, 3])
def test_shuffling_moves_whole_patches_and_loses_none(generator, channels):
    examples = example_set(channels=channels)

    shuffled = patch_shuffled(examples, generator, patch=14)

    def patches(image):
        return sorted(image[:, y : y + 14, x : x + 14].tobytes() for y in (0, 14) for x in (0, 14))

    for before, after in zip(examples.images, shuffled.images, strict=True):
        assert patches(before) == patches(after)
    assert not np.array_equal(examples.images, shuffled.images)


def test_patches_of_a_wide_image_stay_whole(generator):
    levels = np.arange(2 * 3)[:, None].repeat(16, axis=1).reshape(2, 3, 4, 4).transpose(0, 2, 1, 3).reshape(8, 12)
    wide = prepared(levels[None, None] / 255, [0], [0], "wide", licence="CC0", origin="here")

    shuffled = np.rint(patch_shuffled(wide, generator, patch=4).images[0, 0] * 255)

    found = [np.unique(shuffled[y : y + 4, x : x + 4]).tolist() for y in (0, 4) for x in (0, 4, 8)]
    assert sorted(found) == [[0], [1], [2], [3], [4], [5]]
    assert found != sorted(found)


def test_every_image_is_shuffled_in_its_own_order(generator):
    examples = example_set(count=40)
    same = examples.with_images(np.repeat(examples.images[:1], 40, axis=0))

    shuffled = patch_shuffled(same, generator)

    assert len({image.tobytes() for image in shuffled.images}) == 40


def test_shuffled_images_have_no_class_and_keep_ids(generator):
    examples = example_set()

    shuffled = patch_shuffled(examples, generator)

    assert shuffled.labels.tolist() == [-1] * 6
    np.testing.assert_array_equal(shuffled.example_ids, examples.example_ids)
    assert shuffled.source == "letters/patch_shuffled"
    assert shuffled.notes["patch"] == 7


@pytest.mark.parametrize("patch", [5, 28, 56])
def test_a_patch_that_does_not_divide_the_image_is_refused(generator, patch):
    with pytest.raises(ValueError, match=f"at least 2 patches, got {patch}"):
        patch_shuffled(example_set(), generator, patch=patch)


def test_held_out_classes_and_the_others_make_up_the_whole():
    examples = example_set(count=9)

    held, others = (held_out_classes(examples, classes=[1, 2], keep=keep) for keep in (True, False))

    assert set(held.labels) == {1, 2}
    assert set(others.labels) == {0}
    assert set(held.example_ids) | set(others.example_ids) == set(examples.example_ids)
    assert (held.source, others.source) == ("letters/held_out_classes", "letters/other_classes")
    np.testing.assert_array_equal(others.images, examples.images[examples.labels == 0])


@pytest.mark.parametrize(("classes", "keep"), [([3], True), ([], True), ([0, 1, 2], False)])
def test_classes_that_leave_nothing_are_refused(classes, keep):
    with pytest.raises(ValueError, match="classes"):
        held_out_classes(example_set(), classes=classes, keep=keep)


def ten_classes(count=30):
    images = np.random.default_rng(2).integers(0, 256, (count, 1, 4, 4)) / 255
    return prepared(images, np.arange(count) % 10, np.arange(count), "letters", licence="CC0", origin="here")


def test_the_parts_of_a_class_split_are_labelled_from_0_in_the_order_of_the_split():
    examples, order = ten_classes(), class_order(7, 10)
    known, unknown, seen, met = (
        class_split(examples, split=7, part=part) for part in ("known", "unknown", "seen", "met")
    )

    assert [order[label] for label in known.labels] == examples.labels[known.example_ids].tolist()
    assert (set(seen.labels), set(met.labels), set(unknown.labels)) == ({0, 1, 2, 3}, {4, 5}, {-1})
    assert set(examples.labels[unknown.example_ids]) == set(order[6:])
    assert sorted([*known.example_ids, *unknown.example_ids]) == list(range(30))
    assert sorted([*seen.example_ids, *met.example_ids]) == sorted(known.example_ids)
    assert (known.source, known.notes["classes"]) == ("letters/known_7", order[:6])
    np.testing.assert_array_equal(met.images, examples.images[met.example_ids])


def test_a_class_without_rows_cannot_be_split():
    with pytest.raises(ValueError, match="no rows of class 0"):
        class_split(ten_classes().take(np.arange(1, 10)), split=0, part="known")


def test_darker_is_contrast_around_the_mean_and_then_a_tenth():
    levels = np.array([[90, 100, 110, 120]] * 4)
    examples = prepared(levels[None, None] / 255, [0], [0], "ramp", licence="CC0", origin="here")

    dark = natural_shift(examples, shift="darker")

    contrasted = np.clip(105 + 3.8 * (levels - 105), 0, 255)
    assert np.abs(dark.images[0, 0] * 255 - contrasted * 0.1).max() <= 1


def test_the_order_of_contrast_and_brightness_matters():
    examples = example_set(count=1)
    picture = Image.fromarray(np.rint(examples.images[0, 0] * 255).astype(np.uint8))

    other = ImageEnhance.Contrast(ImageEnhance.Brightness(picture).enhance(0.1)).enhance(3.8)

    dark = np.rint(natural_shift(examples, shift="darker").images[0, 0] * 255)
    assert np.abs(dark - np.asarray(other)).max() > 5


def test_a_flat_image_only_gets_darker():
    examples = prepared(np.full((1, 1, 8, 8), 200 / 255), [0], [0], "flat", licence="CC0", origin="here")

    assert np.unique(np.rint(natural_shift(examples, shift="darker").images * 255)).tolist() == [20]
    assert np.unique(np.rint(natural_shift(examples, shift="sharper").images * 255)).tolist() == [200]


def test_sharper_moves_a_dot_away_from_its_smoothed_self():
    levels = np.full((9, 9), 100)
    levels[4, 4] = 103
    examples = prepared(levels[None, None] / 255, [0], [0], "dot", licence="CC0", origin="here")

    sharp = np.rint(natural_shift(examples, shift="sharper").images[0, 0] * 255)

    # Smoothed with (1 1 1; 1 5 1; 1 1 1) / 13 the dot is 101.15, rounded 101; 101 + 15 * (103 - 101) = 131.
    assert sharp[4, 4] == 131
    assert sharp[0, 0] == 100


@pytest.mark.parametrize("shift", ["darker", "sharper"])
def test_natural_shifts_keep_labels_and_ids(shift):
    examples = example_set(channels=3)

    shifted = natural_shift(examples, shift=shift)

    np.testing.assert_array_equal(shifted.labels, examples.labels)
    np.testing.assert_array_equal(shifted.example_ids, examples.example_ids)
    assert shifted.source == f"letters/{shift}"


def test_an_unknown_shift_is_refused():
    with pytest.raises(ValueError, match="shift must be one of darker, sharper"):
        natural_shift(example_set(), shift="brighter")


def test_two_classes_are_relabelled_and_keep_ids_and_images():
    examples = example_set(9)

    found = two_classes(examples, negative=2, positive=0)

    kept = np.isin(examples.labels, [0, 2])
    np.testing.assert_array_equal(found.example_ids, examples.example_ids[kept])
    np.testing.assert_array_equal(found.images, examples.images[kept])
    np.testing.assert_array_equal(found.labels, (examples.labels[kept] == 0).astype(int))
    assert found.notes["relabelled"] == [2, 0]


@pytest.mark.parametrize("pair", [(1, 1), (0, 7)])
def test_two_classes_have_to_be_two_that_there_are(pair):
    with pytest.raises(ValueError, match="must be two of"):
        two_classes(example_set(), negative=pair[0], positive=pair[1])


def test_images_of_another_data_set_lose_their_classes_and_nothing_else():
    examples = example_set(9)

    found = without_classes(examples)

    assert found.labels.tolist() == [-1] * 9
    np.testing.assert_array_equal(found.images, examples.images)
    np.testing.assert_array_equal(found.example_ids, examples.example_ids)
    assert found.source == "letters/without_classes"


def test_a_subset_holds_the_classes_in_proportion_and_lies_in_a_larger_one():
    examples = example_set(30)

    small, large = subset(examples, count=6), subset(examples, count=12)

    assert np.bincount(small.labels).tolist() == [2, 2, 2]
    assert set(small.example_ids) < set(large.example_ids)
    with pytest.raises(ValueError, match="at most 30"):
        subset(examples, count=31)


def test_a_second_subset_shares_no_row_with_the_first():
    examples = example_set(30)

    first, second = subset(examples, count=12), subset(examples, skip=12, count=18)

    assert sorted([*first.example_ids, *second.example_ids]) == sorted(examples.example_ids)
    assert np.bincount(second.labels).tolist() == [6, 6, 6]
    with pytest.raises(ValueError, match=r"at most 18, the rows of .* after the first 12, got 19"):
        subset(examples, skip=12, count=19)


def test_rows_are_left_out_by_their_ids():
    examples = example_set(6)  # ids 20, 17, 14, 11, 8, 5

    found = without_rows(examples, rows=[5, 17])

    assert found.example_ids.tolist() == [20, 14, 11, 8]
    np.testing.assert_array_equal(found.images, examples.images[[0, 2, 3, 4]])
    assert found.source == "letters/without_rows" and found.notes["left_out"] == [5, 17]


@pytest.mark.parametrize(("rows", "told"), [([5, 6], "6 is not one"), ([5, 8, 11, 14, 17, 20], "nothing is left")])
def test_rows_that_are_not_there_or_all_are_refused(rows, told):
    with pytest.raises(ValueError, match=told):
        without_rows(example_set(6), rows=rows)
