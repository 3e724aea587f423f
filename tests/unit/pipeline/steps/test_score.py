"""The score step: one score per row, in order, from that row alone."""

import numpy as np
import pytest

from touchstone.pipeline.steps.score import score
from touchstone.records.nouns import Detector, ExampleSet


def scored(scorer, images=None, batch_size=5):
    images = np.random.default_rng(0).random((12, 1, 2, 2), dtype=np.float32) if images is None else images
    examples = ExampleSet(images, np.zeros(len(images), np.int64), np.arange(len(images)), "some")
    return score(
        None, examples, Detector({}, {}, {}, 1.0, False), scorer=scorer, data=("images",), label=None, model=None, batch_size=batch_size,
        device="cpu",
    ).scores  # fmt: skip


def brightness(images):
    return images.mean((1, 2, 3))


@pytest.mark.parametrize("scorer", [brightness, lambda images: 0 * brightness(images)])
def test_rows_are_scored_in_order_whatever_the_batches_are(scorer):
    np.testing.assert_allclose(scored(scorer, batch_size=5), scored(scorer, batch_size=12), rtol=1e-6)


def test_one_image_has_a_score():
    assert scored(brightness, np.full((1, 1, 2, 2), 0.5, np.float32)) == [0.5]


@pytest.mark.parametrize(
    "reads_batch",
    [
        lambda images: brightness(images) - brightness(images).mean(),
        lambda images: brightness(images).argsort().argsort().float(),
        lambda images: brightness(images) / brightness(images).std(correction=0),
        lambda images: brightness(images) + 0.1 * len(images),
    ],
    ids=["centred", "ranked", "divided by the spread", "counted"],
)
def test_a_score_that_depends_on_the_other_images_is_refused(reads_batch):
    with pytest.raises(ValueError, match="differently if other images come with it"):
        scored(reads_batch)
