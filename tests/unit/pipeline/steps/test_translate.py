"""The translate step: rows kept, the 1/255 grid, and what it refuses."""

import numpy as np
import pytest
import torch
from torch import nn

from touchstone.pipeline.steps.translate import translate
from touchstone.records.nouns import ContractError, ExampleSet

torch.set_num_threads(1)


@pytest.fixture
def examples():
    images = np.random.default_rng(0).random((7, 1, 3, 3)).astype(np.float32)
    return ExampleSet(images, np.arange(7) % 3, np.arange(7)[::-1] * 5, "some", notes={"licence": "none"})


class Darker(nn.Module):
    def __init__(self, factor=0.5):
        super().__init__()
        self.factor = nn.Parameter(torch.tensor(factor))

    def forward(self, images):
        return images * self.factor


def test_translated_images_are_the_nearest_on_the_grid(examples):
    translated = translate(examples, Darker())

    np.testing.assert_allclose(translated.images, np.round(examples.images * 0.5 * 255) / 255, atol=1e-7)


def test_ids_labels_and_notes_are_kept_and_the_notes_say_translated(examples):
    translated = translate(examples, Darker())

    np.testing.assert_array_equal(translated.example_ids, examples.example_ids)
    np.testing.assert_array_equal(translated.labels, examples.labels)
    assert translated.notes == {"licence": "none", "translated": True}
    assert translated.unquantised is None


def test_the_batch_size_changes_nothing(examples):
    whole, parts = translate(examples, Darker()), translate(examples, Darker(), batch_size=2)

    np.testing.assert_array_equal(whole.images, parts.images)


def test_the_translator_is_used_in_eval_mode_and_given_back_as_it_was(examples):
    translator = nn.Sequential(nn.Dropout(0.9), Darker(1.0)).train()

    translated = translate(examples, translator)

    np.testing.assert_allclose(translated.images, examples.images, atol=0.5 / 255 + 1e-6)
    assert translator.training and translator[1].factor.requires_grad


def test_a_translator_without_weights_will_do(examples):
    assert len(translate(examples, nn.Identity())) == 7


@pytest.mark.parametrize(("translator", "message"), [(Darker(-1.0), "expected .0, 1."), (nn.Flatten(2), "shape")])
def test_a_translator_that_leaves_the_range_or_the_shape_is_refused(examples, translator, message):
    with pytest.raises(ContractError, match=message):
        translate(examples, translator)
