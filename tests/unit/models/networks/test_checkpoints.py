"""Networks built, saved and loaded: what fits, what does not, and what is left alone."""

from functools import partial

import numpy as np
import pytest
import torch

from touchstone.models.mlp import mlp
from touchstone.models.networks import checkpoints
from touchstone.models.preact_resnet18 import preact_resnet18
from touchstone.models.shallow_rbf import shallow_rbf
from touchstone.models.unet import unet
from touchstone.records.damage import DamagedFile
from touchstone.records.encoding import decode, encode
from touchstone.records.nouns import Checkpoint

torch.set_num_threads(1)
SMALL = partial(mlp, hidden=[5])


def checkpoint(model, classes=3, shape=(1, 2, 2), mean=(0.25,), std=(0.5,)):
    return Checkpoint(checkpoints.weights_of(model), {"use": "mlp"}, shape, classes, mean, std)


def test_a_loaded_network_normalises_pixels_first():
    model = checkpoints.build(mlp_without_layers, (1, 2, 2), 3, (0.25,), (0.5,))
    images = torch.rand(4, 1, 2, 2, generator=torch.Generator().manual_seed(0))

    loaded = checkpoints.load(mlp_without_layers, checkpoint(model))

    linear = model[1][1]
    expected = ((images - 0.25) / 0.5).flatten(1) @ linear.weight.T + linear.bias
    torch.testing.assert_close(loaded(images), expected)


def mlp_without_layers(input_shape, classes):
    return mlp(input_shape, classes, hidden=[])


def test_batch_statistics_come_back_from_bytes_and_the_network_is_in_eval_mode():
    architecture = partial(preact_resnet18, width=2)
    model = checkpoints.build(architecture, (1, 8, 8), 3, (0.0,), (1.0,))
    images = torch.rand(6, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    model(images)  # in train mode: moves the statistics

    stored = decode(encode(checkpoint(model, shape=(1, 8, 8), mean=(0.0,), std=(1.0,))))
    loaded = checkpoints.load(architecture, stored)

    assert not any(module.training for module in loaded.modules())
    assert torch.equal(loaded(images), model.eval()(images))


def test_a_translator_is_built_from_its_shape_alone():
    model = checkpoints.build(unet, (1, 8, 8), 0, (0.0,), (1.0,))

    loaded = checkpoints.load(unet, checkpoint(model, classes=0, shape=(1, 8, 8), mean=(0.0,), std=(1.0,)))

    images = torch.rand(2, 1, 8, 8)
    assert torch.equal(loaded(images), images)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda weights: weights.pop("1.bias"), "missing 1.bias"),
        (lambda weights: weights.update(extra=np.zeros(1)), "unknown extra"),
        (
            lambda weights: weights.update({"1.bias": np.zeros(4, np.float32)}),
            r"1.bias has shape \(4,\), expected \(5,",
        ),
    ],
)
def test_weights_that_do_not_fit_are_named(change, message):
    weights = checkpoints.weights_of(checkpoints.build(SMALL, (1, 2, 2), 3, (0.0,), (1.0,)))
    change(weights)
    damaged = Checkpoint(weights, {"use": "mlp"}, (1, 2, 2), 3, (0.0,), (1.0,))

    with pytest.raises(DamagedFile, match=message):
        checkpoints.load(SMALL, damaged)


def test_building_and_loading_leave_the_global_generator_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)

    torch.manual_seed(5)
    model = checkpoints.build(SMALL, (1, 2, 2), 3, (0.0,), (1.0,), seed=1)
    checkpoints.load(SMALL, checkpoint(model))

    assert torch.equal(torch.rand(3), expected)


def test_weights_are_copies_in_sorted_order():
    model = checkpoints.build(SMALL, (1, 2, 2), 3, (0.0,), (1.0,))

    weights = checkpoints.weights_of(model)
    before = weights["1.bias"].copy()
    with torch.no_grad():
        model[1][1].bias.add_(1)

    assert list(weights) == ["1.bias", "1.weight", "3.bias", "3.weight"]
    np.testing.assert_array_equal(weights["1.bias"], before)


def test_the_penultimate_layer_is_the_last_linear_one():
    model = checkpoints.build(SMALL, (1, 2, 2), 3, (0.0,), (1.0,))

    assert checkpoints.penultimate(model) is model[1][3]


def test_a_network_without_linear_layers_has_no_penultimate_one():
    with pytest.raises(ValueError, match="no linear layer"):
        checkpoints.penultimate(shallow_rbf((1, 2, 2), 3))


def test_a_bare_module_is_refused():
    with pytest.raises(ValueError, match="behind its normalisation"):
        checkpoints.weights_of(SMALL((1, 2, 2), 3))
