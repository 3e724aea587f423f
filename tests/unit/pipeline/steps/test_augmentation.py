"""Random crops and mirrored images in training: which views there are, and what never changes."""

from functools import partial

import numpy as np
import pytest
import torch

from touchstone.models.mlp import mlp
from touchstone.numerics.tensors import RandomStreams
from touchstone.pipeline.steps._training_batches import Augmentation
from touchstone.pipeline.steps.train import train
from touchstone.records.encoding import encode
from touchstone.records.nouns import ExampleSet
from touchstone.training.clean import clean

IMAGE = torch.arange(1.0, 25).view(1, 2, 4, 3)  # no two pixels are equal, and none is black


def streams(count, stream="augment"):
    return RandomStreams(0, stream, torch.arange(count))


def as_set(images):
    return {tuple(image.flatten().tolist()) for image in images}


def windows(crop):
    padded = torch.zeros(2, 4 + 2 * crop, 3 + 2 * crop)
    padded[:, crop : crop + 4, crop : crop + 3] = IMAGE[0]
    size = 2 * crop + 1
    return [padded[:, top : top + 4, left : left + 3] for top in range(size) for left in range(size)]


@pytest.mark.parametrize("crop", [1, 2])
def test_a_crop_is_each_window_of_the_padded_image_about_equally_often(crop):
    views = Augmentation(crop=crop)(IMAGE.expand(6000, -1, -1, -1), streams(6000))

    assert as_set(views) == as_set(windows(crop))
    expected = 6000 / (2 * crop + 1) ** 2
    for window in windows(crop):
        count = (views == window).flatten(1).all(1).sum()
        assert abs(count - expected) < 5 * expected**0.5


def test_half_of_the_images_are_mirrored_left_to_right():
    views = Augmentation(flip=True)(IMAGE.expand(1000, -1, -1, -1), streams(1000))

    assert as_set(views) == as_set([IMAGE, IMAGE.flip(-1)])
    assert 420 < (views == IMAGE).flatten(1).all(1).sum() < 580


def test_without_crop_and_flip_images_stay_and_no_random_number_is_drawn():
    generator = streams(1)

    assert torch.equal(Augmentation()(IMAGE, generator), IMAGE) and generator.count == 0


def examples(count, source, seed):
    generator = np.random.default_rng(seed)
    images = generator.random((count, 1, 4, 4), dtype=np.float32) + 0.1
    return ExampleSet(images.clip(0, 1), np.arange(count) % 2, np.arange(count), source)


TRAIN, VALIDATION, OUTLIERS = examples(12, "a", 0), examples(6, "b", 1), examples(9, "c", 2)


class Watching:
    """The plain objective, which remembers the images and outliers of training and of validation."""

    def __init__(self):
        self.images, self.outliers = {True: [], False: []}, {True: [], False: []}

    def __call__(self, model, images, labels, generator, outliers):
        self.images[model.training].append(images)
        self.outliers[model.training].append(outliers)
        return clean(model, images, labels, generator)


def run(objective, batch_size=12, **settings):
    return train(
        TRAIN,
        VALIDATION,
        [OUTLIERS],
        architecture=partial(mlp, hidden=[4]),
        architecture_settings={"use": "mlp"},
        objective=objective,
        epochs=2,
        batch_size=batch_size,
        outlier_batch_size=9,
        **settings,
    )


def test_each_epoch_sees_other_views_of_images_and_outliers_and_validation_none():
    watching = Watching()

    run(watching, crop=1, flip=True)

    assert not as_set(watching.images[True][0]) & as_set(watching.images[True][1])
    assert not as_set(watching.outliers[True][0]) & as_set(watching.outliers[True][1])
    assert all(as_set(images) == as_set(torch.tensor(VALIDATION.images)) for images in watching.images[False])
    assert all(as_set(outliers) == as_set(torch.tensor(OUTLIERS.images)) for outliers in watching.outliers[False])


def test_views_do_not_depend_on_the_batch_size():
    whole, halves = Watching(), Watching()

    run(whole, crop=1, flip=True)
    run(halves, batch_size=6, crop=1, flip=True)

    assert as_set(torch.cat(whole.images[True])) == as_set(torch.cat(halves.images[True]))


def test_the_same_seed_gives_the_same_bytes_and_a_crop_gives_others():
    first, again, plain = (run(Watching(), crop=crop) for crop in (1, 1, 0))

    assert encode(first) == encode(again)
    assert encode(first) != encode(plain)
