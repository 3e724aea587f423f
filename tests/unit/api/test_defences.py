"""A defence that rejects or purifies falls to the share that a closed form leaves of it, whoever hides what."""

import json

import pytest
import torch
from torch import nn

from touchstone.api.defences import ANSWERS, CLASSIFIER, evaluate_defence

EPS = 0.1
GRAY = torch.linspace(0.005, 0.995, 100).view(100, 1, 1, 1)
CLASSES = (GRAY.flatten() > 0.5).long()
FEW = {"eps": EPS, "steps": 5, "restarts": 1, "queries": 30}


def leads(images):
    return images.flatten(1).mean(1) - 0.5


def logits(images):
    return torch.stack([-leads(images), leads(images)], 1)


def left(defence, **settings):
    return evaluate_defence(defence, GRAY, CLASSES, **FEW | settings)


def test_without_rejection_what_is_left_is_farther_than_eps_from_the_boundary():
    found = left(logits)

    assert found.robust_accuracy.value == pytest.approx(0.8, abs=0.011) and found.clean_rejected.value == 0
    assert CLASSIFIER not in found.left and found.threshold is None


def test_whoever_knows_the_rejection_crosses_it_and_whoever_does_not_is_rejected():
    """Only what lies within 0.04 of the boundary is rejected; an attack of 0.1 can go past it, and a short step cannot."""
    found = left(lambda images: (logits(images), leads(images).abs() < 0.04))

    assert found.clean_rejected.value == pytest.approx(0.08, abs=0.011)
    assert found.robust_accuracy.value == pytest.approx(0.88, abs=0.011)  # 0.06 on either side can still cross
    assert found.robust_accuracy.value <= found.left[CLASSIFIER].value


def test_a_score_gets_its_threshold_from_calibration_images_only():
    images = torch.linspace(0, 1, 41).view(41, 1, 1, 1)
    found = left(lambda images: (logits(images), -leads(images).abs()), calibration=images, false_positive_rate=0.1)

    assert found.threshold == pytest.approx(-0.0625, abs=0.02)
    assert found.robust_accuracy.value > left(logits).robust_accuracy.value


@pytest.mark.parametrize("hidden", [torch.detach, lambda images: (images * 20).round() / 20])
def test_a_defence_without_gradients_is_followed_along_a_stand_in_or_an_imitation(hidden):
    alone, stood_in = (
        left(lambda images: logits(hidden(images)), queries=0, backward=backward) for backward in (None, logits)
    )

    assert stood_in.robust_accuracy.value == pytest.approx(0.8, abs=0.03)
    assert alone.robust_accuracy.value == pytest.approx(0.8, abs=0.06)


def test_answers_alone_find_less_than_everything_and_every_attacker_stays_within_eps():
    found = left(lambda images: (logits(images), leads(images).abs() < 0.04))

    assert found.left[ANSWERS].value >= found.robust_accuracy.value
    assert (found.attacked - GRAY).abs().max() <= EPS + 1e-6


def test_a_defence_that_draws_is_attacked_in_expectation():
    def noisy(images):
        return logits(images + 0.02 * torch.randn(len(images), 1, 1, 1))

    assert left(noisy, draws=8).robust_accuracy.value == pytest.approx(0.8, abs=0.08)


def test_every_value_goes_through_json():
    read = json.loads(json.dumps(left(lambda images: (logits(images), leads(images) > 2)).as_dict()))

    assert read["left"]["everything"] == read["robust_accuracy"] and read["rejected"][CLASSIFIER]["value"] == 0


def test_a_module_is_evaluated_in_eval_mode_and_comes_back_as_it_was():
    module = nn.Sequential(nn.Dropout(0.5), nn.Flatten(), nn.Linear(1, 2)).train()

    with pytest.warns(UserWarning, match="in train mode; it is evaluated in eval mode"):
        left(module, queries=2)

    assert module.training


@pytest.mark.parametrize(
    ("defence", "settings", "words"),
    [
        (lambda images: (logits(images), leads(images)), {}, "returns scores, and a threshold needs clean images"),
        (logits, {"calibration": GRAY}, "calibration is for a defence that returns scores"),
        (
            lambda images: (logits(images), leads(images)[:3] > 0),
            {},
            r"returns \(3,\) beside its logits for 100 images",
        ),
        (lambda images: (logits(images), leads(images).long()), {}, "returns torch.int64 beside its logits"),
        (lambda images: (logits(images), 1, 2), {}, "returns a tuple, expected logits"),
        (lambda images: {"logits": logits(images)}, {}, "returns a dict, expected logits"),
        (logits, {"eps": 0.6}, "eps must be above 0 and below 0.5"),
        (logits, {"false_positive_rate": 1.0}, "false_positive_rate must be between 0 and 1"),
    ],
)
def test_what_is_no_defence_is_refused_in_words(defence, settings, words):
    with pytest.raises((TypeError, ValueError), match=words):
        left(defence, **settings)
