"""The calls for notebooks: models that draw, printed results; test_every_door.py has the wrong inputs of all calls."""

import warnings

import pytest
import torch
from torch import nn

from touchstone.api import gate
from touchstone.api.brittle_inputs import brittle_inputs, brittle_threshold
from touchstone.api.detector_scores import detector_scores
from touchstone.api.robust_accuracy import evaluate
from touchstone.numerics.tensors import seeded

IMAGES, LABELS = torch.rand(12, 1, 4, 4, generator=torch.Generator().manual_seed(0)), torch.arange(12) % 3
FEW = {"steps": 2, "queries": 2}


def network(*layers):
    with seeded(0, "init"):
        return nn.Sequential(*layers, nn.Flatten(), nn.Linear(16, 3)).eval()


class Noise(nn.Module):
    def forward(self, images):
        return images + torch.randn_like(images)


MODEL = network()
CALLS = [lambda model: evaluate(model, IMAGES, LABELS, **FEW), lambda model: brittle_inputs(model, IMAGES)]


@pytest.mark.parametrize("call", CALLS)
def test_a_network_that_always_draws_is_told_apart_in_train_mode_too(call):
    model = network(Noise()).train()

    with pytest.warns(UserWarning, match="the model answers differently when it is called again"):
        call(model)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(("layer", "words"), [
    (nn.Dropout(0.5), "the model answers differently when it is called again"),
    (nn.BatchNorm2d(1), "the model answers differently when other images are in the batch"),
])  # fmt: skip
def test_a_function_around_a_network_in_train_mode_is_told_apart(call, layer, words):
    model = network(layer)
    model.train()

    with pytest.warns(UserWarning, match=f"{words}.*call .eval"):
        call(lambda images: model(images))


def test_a_result_of_a_model_that_answers_differently_says_so_and_cannot_be_trusted():
    model = network(nn.BatchNorm2d(1)).train()

    with pytest.warns(UserWarning, match="compute them in float64"):
        found = evaluate(lambda images: model(images), IMAGES, LABELS, eps=1e-4, **FEW)

    assert found.failed_checks[0] == "the model answers differently when other images are in the batch"
    assert found.robust_accuracy.value > 0 and not found.can_be_trusted


OFFSETS = {
    "two logits": (0, 0), "a low class": (0, -9), "a masked class": (0, -1e4), "a class at -1e9": (0, -1e9),
    "log-densities": (-1500, 0),
}  # fmt: skip


def with_offset(change, offset):
    """A model of three classes: what `change` makes of two logits, behind an offset, and a third class far below."""
    common, third = OFFSETS[offset]

    def model(images):
        logits = change(MODEL(images)[:, :2])
        return torch.cat([logits, logits.amin(1, keepdim=True) - 1 + third], 1) + common

    return model


@pytest.mark.parametrize("count", [2, 3, 12])
@pytest.mark.parametrize("offset", OFFSETS)
@pytest.mark.parametrize(("change", "when"), [
    (lambda logits: logits + 1.5 * torch.randn_like(logits), "when it is called again"),
    (lambda logits: logits - logits.mean(0), "when other images are in the batch"),
])  # fmt: skip
def test_an_unsteady_model_is_told_whatever_the_offset_of_its_logits_and_the_number_of_images(
    change, when, offset, count
):
    with pytest.warns(UserWarning, match=f"the model answers differently {when}"):
        gate.check_steady(with_offset(change, offset), IMAGES[:count])


@pytest.mark.parametrize("offset", OFFSETS)
def test_the_rounding_of_a_batch_of_another_size_is_not_told(offset):
    model = with_offset(lambda logits: 1e-3 * logits, offset)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gate.check_steady(lambda images: model(images) * (1 + 2**-21 * (len(images) == 1)), IMAGES)


def test_scores_that_vary_are_told_whatever_their_offset():
    with pytest.warns(UserWarning, match="the model answers differently when it is called again"):
        gate.check_steady(lambda images: torch.randn(len(images)) - 1500, IMAGES)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gate.check_steady(lambda images: images.flatten(1).sum(1) - 1500, IMAGES)


@pytest.mark.parametrize("call", CALLS)
def test_a_network_that_answers_the_same_each_time_causes_no_warning(call):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        call(network(nn.Dropout(0.5), nn.BatchNorm2d(1)))
        call(MODEL.double().float())


def test_a_result_is_printed_in_a_line():
    found = evaluate(MODEL, IMAGES, LABELS, eps=0.02, **FEW)

    text = repr(found)

    assert text == str(found) and "\n" not in text and len(text) < 500
    assert "tensor" not in text and "12 images" in text
    clean = found.clean_accuracy
    assert f"clean accuracy {clean.value:.3f} [{clean.low:.3f}, {clean.high:.3f}]" in text
    assert f"robust accuracy {found.robust_accuracy.value:.3f} [" in text


def test_a_result_that_failed_a_check_says_so_when_it_is_printed():
    hidden = lambda images: (4 * MODEL(images)).round()  # noqa: E731

    found = evaluate(hidden, IMAGES, LABELS, eps=0.02, **FEW)

    assert found.failed_checks
    assert all(check in repr(found) for check in found.failed_checks)
    assert "do not trust" in repr(found)


@pytest.mark.parametrize("call", CALLS)
def test_a_model_that_answers_by_numpy_is_refused(call):
    with pytest.raises(ValueError, match="the logits have no gradient in the images"):
        call(lambda images: torch.from_numpy(MODEL(images).numpy()))


@pytest.mark.parametrize("size", [0, -1])
@pytest.mark.parametrize("call", [
    lambda **size: evaluate(MODEL, IMAGES, LABELS, **FEW, **size),
    lambda **size: brittle_inputs(MODEL, IMAGES, **size),
    lambda **size: brittle_threshold(MODEL, IMAGES, **size),
    lambda **size: detector_scores("msp", MODEL, IMAGES, **size),
])  # fmt: skip
def test_a_batch_without_images_is_refused(call, size):
    with pytest.raises(ValueError, match=f"batch_size must be at least 1, got {size}"):
        call(batch_size=size)


def test_an_attack_of_an_unknown_name_is_refused_before_any_attack_runs():
    calls_of_the_model = []

    def counted_model(images):
        calls_of_the_model.append(len(images))
        return MODEL(images)

    with pytest.raises(ValueError, match=r"attacks/pgdd: no such component; .* Did you mean pgd\?"):
        evaluate(counted_model, IMAGES, LABELS, attacks=["pgdd"], **FEW)
    assert calls_of_the_model == []


def test_a_model_that_returns_probabilities_is_refused_if_it_is_drawn_several_times():
    with pytest.raises(ValueError, match=r"the model returns probabilities \(each row sums to 1\)"):
        evaluate(nn.Sequential(MODEL, nn.Softmax(1)).eval(), IMAGES, LABELS, draws=2, **FEW)
