"""A detector whose score of an image depends on the others is refused, however it does that."""

import numpy as np
import pytest

from touchstone.pipeline.jobs.independent_rows import check_independent_rows
from touchstone.pipeline.steps.score import score
from touchstone.records.nouns import Detector, ExampleSet, Outputs

IMAGES = np.random.default_rng(0).random((12, 1, 2, 2), dtype=np.float32)
EXAMPLES = ExampleSet(IMAGES, np.zeros(12, np.int64), np.arange(12), "some")
OUTPUTS = Outputs(IMAGES.reshape(12, 4), EXAMPLES.labels, EXAMPLES.example_ids, {"penultimate": IMAGES.reshape(12, 4)})


def checked(scorer, data="images", examples=EXAMPLES, outputs=OUTPUTS, batch_size=5):
    def scored(outputs, examples):
        return score(
            outputs, examples, Detector({}, {}, {}, 1.0, False), scorer=scorer, data=(data,), label=None, model=None,
            batch_size=batch_size, device="cpu",
        )  # fmt: skip

    check_independent_rows("mine", scored, outputs, examples, scored(outputs, examples).scores)


def brightness(values):
    return values.flatten(1).mean(1)


@pytest.mark.parametrize("data", ["images", "features", "logits"])
@pytest.mark.parametrize("factor", [1, 0, 1e6])
def test_a_score_of_one_image_passes(data, factor):
    checked(lambda values: 1e4 + factor * brightness(values), data)


def test_a_set_of_one_image_passes():
    checked(brightness, examples=EXAMPLES.take(np.array([3])), outputs=None)


@pytest.mark.parametrize(
    "scorer",
    [
        lambda values: brightness(values) - brightness(values).mean(),
        lambda values: brightness(values).argsort().argsort().float(),
        lambda values: brightness(values) / brightness(values).std(correction=0),
        lambda values: brightness(values) + 0.1 * len(values),
        lambda values: brightness(values) + brightness(values).roll(1),
    ],
    ids=["centred", "ranked", "divided by the spread", "counted", "with its neighbour"],
)
@pytest.mark.parametrize("data", ["images", "features"])
def test_a_score_that_depends_on_other_images_is_refused(scorer, data):
    with pytest.raises(ValueError, match="mine scores an image differently if it is alone"):
        checked(scorer, data)
