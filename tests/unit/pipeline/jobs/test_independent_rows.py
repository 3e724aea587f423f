"""A detector whose score of an image depends on the others is refused, however it does that."""

import importlib

import numpy as np
import pytest
import torch

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


def in_batches(name, confidence, batch_size=64):
    """Check a detector that is fitted on logits as confident as a trained network's, and on hardly any other."""
    detector, draw = importlib.import_module(f"touchstone.detectors.{name}"), torch.Generator().manual_seed(0)
    logits = torch.eye(4)[torch.arange(80) % 4] * confidence + torch.rand(80, 4, generator=draw)
    doubtful = logits.clone()
    doubtful[:2] /= confidence
    state = {key: values.numpy() for key, values in detector.fit(doubtful, logits.flip(1), 0, epochs=30).items()}
    outputs = Outputs(logits.numpy(), np.zeros(80, np.int64), np.arange(80))

    def scored(outputs, examples):
        return score(
            outputs, examples, Detector(state, {}, {}, 1.0, True), scorer=getattr(detector, name), data=("logits", "state"),
            label=None, model=None, batch_size=batch_size, device="cpu",
        )  # fmt: skip

    found = scored(outputs, None).scores
    check_independent_rows(name, scored, outputs, None, found)
    return found


@pytest.mark.parametrize("confidence", [70, 1e3, 1e6])
def test_equal_scores_may_move_by_rounding(confidence):
    assert np.ptp(in_batches("softmax_network", confidence)) < 1e-5


@pytest.mark.parametrize("scale", [1e-12, 1e-6, 1, 1e6])
def test_a_dependence_is_found_at_any_scale(scale):
    outputs = Outputs(OUTPUTS.logits * np.float32(scale), OUTPUTS.labels, OUTPUTS.example_ids)

    checked(lambda values: 1e-3 * values[:, 0], "logits", None, outputs)
    with pytest.raises(ValueError, match="differently if it is alone"):
        checked(lambda values: values[:, 0] - values[:, 0].mean(), "logits", None, outputs)


@pytest.mark.parametrize("data", ["images", "features"])
def test_a_layer_with_batch_statistics_and_a_share_of_the_largest_score_are_refused(data):
    normalise = torch.nn.BatchNorm1d(4).train()

    for scorer in (
        lambda values: normalise(values.flatten(1)).sum(1) if len(values) > 1 else values.flatten(1).sum(1),
        lambda values: brightness(values) / brightness(values).max(),
    ):
        with pytest.raises(ValueError, match="differently if it is alone"):
            checked(scorer, data)
