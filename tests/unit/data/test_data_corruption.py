from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from touchstone.data.corruption import LEVELS, corruption
from touchstone.data.ingest.example_notes import prepared


@pytest.fixture
def generator():
    return np.random.default_rng(0)


def flat(value, count=20, channels=1):
    images = np.full((count, channels, 32, 32), value)
    return prepared(images, np.arange(count) % 10, np.arange(count), "flat", licence="CC0", origin="here")


def noise(channels=1):
    images = np.random.default_rng(1).random((3, channels, 32, 32))
    return prepared(images, [1, 2, 3], [4, 5, 6], "noise", licence="CC0", origin="here")


def test_gaussian_noise_has_the_standard_deviation_of_its_severity(generator):
    for severity, std in enumerate((0.04, 0.06, 0.08, 0.09, 0.10), start=1):
        images = corruption(flat(0.4), generator, kind="gaussian_noise", severity=severity).images

        np.testing.assert_allclose([images.mean(), images.std()], [0.4, std], atol=0.002)


def test_shot_noise_has_the_variance_of_counted_photons(generator):
    images = corruption(flat(0.4), generator, kind="shot_noise", severity=5).images

    np.testing.assert_allclose([images.mean(), images.var()], [0.4, 0.4 / 50], rtol=0.03)


def test_impulse_noise_replaces_a_share_half_by_white_half_by_black(generator):
    images = corruption(flat(0.4), generator, kind="impulse_noise", severity=5).images

    np.testing.assert_allclose([(images == 0).mean(), (images == 1).mean()], [0.035, 0.035], atol=0.005)
    assert len(np.unique(images)) == 3


def test_gaussian_blur_spreads_a_dot(generator):
    images = np.zeros((1, 1, 32, 32))
    images[0, 0, 16, 16] = 1
    dot = prepared(images, [0], [0], "dot", licence="CC0", origin="here")

    blurred = corruption(dot, generator, kind="gaussian_blur", severity=5).images[0, 0]

    np.testing.assert_allclose(blurred[16, 16], 1 / (2 * np.pi), atol=0.005)
    np.testing.assert_allclose(blurred[16, 17] / blurred[16, 16], np.exp(-0.5), atol=0.02)


def test_contrast_shrinks_distances_from_the_mean(generator):
    examples = noise()

    images = corruption(examples, generator, kind="contrast", severity=5).images

    means = examples.images.mean(axis=(2, 3), keepdims=True)
    np.testing.assert_allclose(images, means + 0.15 * (examples.images - means), atol=0.6 / 255)


def test_brightness_adds_to_gray_and_saturates(generator):
    examples = noise()

    images = corruption(examples, generator, kind="brightness", severity=4).images

    np.testing.assert_allclose(images, np.minimum(examples.images + 0.2, 1), atol=0.6 / 255)


def test_brightness_of_colours_is_that_of_hsv(generator):
    import colorsys

    examples = noise(channels=3)
    examples.images[0, :, 0, 0] = 0  # black turns gray

    images = corruption(examples, generator, kind="brightness", severity=3).images

    for y in range(4):
        hue, saturation, value = colorsys.rgb_to_hsv(*map(float, examples.images[0, :, y, y]))
        expected = colorsys.hsv_to_rgb(hue, saturation, min(value + 0.15, 1))
        np.testing.assert_allclose(images[0, :, y, y], expected, atol=0.6 / 255)


def test_pixelate_makes_neighbours_equal(generator):
    images = corruption(noise(), generator, kind="pixelate", severity=5).images

    small = 20  # int(32 * 0.65)
    equal = (images[..., 1:] == images[..., :-1]).all(axis=2)
    assert equal.sum(axis=-1).max() <= 32 - small
    assert images.var() < noise().images.var()


def test_jpeg_is_what_pil_writes_and_reads(generator):
    examples = noise()
    file = BytesIO()
    Image.fromarray(np.rint(examples.images[0, 0] * 255).astype(np.uint8)).save(file, "JPEG", quality=40)

    images = corruption(examples, generator, kind="jpeg", severity=5).images

    np.testing.assert_array_equal(np.rint(images[0, 0] * 255), np.asarray(Image.open(file)))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", list(LEVELS))
def test_every_corruption_keeps_labels_and_ids_and_hurts_more_when_more_severe(generator, kind, channels):
    examples = noise(channels)

    mild, severe = (corruption(examples, generator, kind=kind, severity=severity) for severity in (1, 5))

    np.testing.assert_array_equal(severe.labels, examples.labels)
    np.testing.assert_array_equal(severe.example_ids, examples.example_ids)
    assert severe.source == f"noise/{kind}_5"
    changes = [np.abs(changed.images - examples.images).mean() for changed in (mild, severe)]
    assert 0 < changes[0] < changes[1]


def test_several_severities_take_turns(generator):
    mixed = corruption(flat(0.2, count=5), generator, kind="brightness", severities=[1, 3, 5])

    np.testing.assert_allclose(mixed.images.mean(axis=(1, 2, 3)), [0.25, 0.35, 0.5, 0.25, 0.35], atol=1 / 255)
    assert mixed.source == "flat/brightness"
    np.testing.assert_array_equal(mixed.example_ids, np.arange(5))
    few = corruption(flat(0.2, count=2), generator, kind="jpeg", severities=[1, 3, 5])
    assert len(few.images) == 2
    with pytest.raises(ValueError, match="severity 1 to 5; got 'contrast', 6"):
        corruption(flat(0.2), generator, kind="contrast", severities=[1, 6])


@pytest.mark.parametrize("kind", ["gaussian_noise", "shot_noise", "impulse_noise"])
def test_other_images_get_other_noise_from_the_same_stream_and_the_same_images_the_same(kind):
    def changed(first, count):
        rows = np.arange(first, first + count)
        images = prepared(np.full((count, 1, 28, 28), 0.4), rows % 10, rows, "flat", licence="CC0", origin="here")
        return corruption(images, np.random.default_rng(0), kind=kind, severity=5).images != images.images

    learned, again, tested = changed(0, 50), changed(0, 50), changed(50, 40)

    np.testing.assert_array_equal(learned, again)
    assert not (learned[:40] == tested).all(axis=(1, 2, 3)).any()


@pytest.mark.parametrize(("kind", "severity"), [("fog", 1), ("contrast", 0), ("contrast", 6)])
def test_unknown_kinds_and_severities_are_refused(generator, kind, severity):
    with pytest.raises(ValueError, match="severity 1 to 5"):
        corruption(noise(), generator, kind=kind, severity=severity)
