"""A defence that rejects or purifies falls to the share that a closed form leaves of it, whoever hides what."""

import json
import warnings
from contextlib import contextmanager

import pytest
import torch
from torch import nn

from touchstone.api import gate, torch_state
from touchstone.api.defences import ANSWERS, CLASSIFIER, evaluate_defence
from touchstone.api.deployed import Deployed, has_gradient
from touchstone.api.torch_state import State

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


@pytest.mark.parametrize("pair", [False, True])
def test_a_rejection_is_imitated_if_neither_the_defence_nor_its_stand_in_has_a_gradient_of_it(pair):
    """Every image can leave what is rejected, the brightest first pixels, and the classes can be crossed by the others."""
    images = 0.51 + 0.08 * torch.rand(60, 1, 4, 4, generator=torch.Generator().manual_seed(0))

    def classified(images):
        lead = 20 * (images.flatten(1).mean(1) - 0.55)
        return torch.stack([-lead, lead], 1)

    def defence(images):
        return classified((images * 255).round() / 255), images[:, 0, :2, :2].mean((1, 2)) > 0.5

    def stand_in(images):
        return (classified(images), defence(images)[1]) if pair else classified(images)

    labels = classified(images).argmax(1)
    found = evaluate_defence(defence, images, labels, **FEW | {"queries": 0, "steps": 20}, backward=stand_in)

    assert found.robust_accuracy.value <= 0.1


def test_answers_alone_find_less_than_everything_and_every_attacker_stays_within_eps():
    found = left(lambda images: (logits(images), leads(images).abs() < 0.04))

    assert found.left[ANSWERS].value >= found.robust_accuracy.value
    assert (found.attacked - GRAY).abs().max() <= EPS + 1e-6


def test_a_defence_that_draws_is_attacked_in_expectation():
    def noisy(images):
        return logits(images + 0.02 * torch.randn(len(images), 1, 1, 1))

    assert left(noisy, draws=8).robust_accuracy.value == pytest.approx(0.8, abs=0.08)


PAIRS = 0.45 + 0.1 * torch.rand(40, 1, 1, 2, generator=torch.Generator().manual_seed(0))
SHOWN = 0.45 + 0.1 * torch.rand(100, 1, 1, 2, generator=torch.Generator().manual_seed(1))
LEFT = (PAIRS[:, 0, 0, 0] > PAIRS[:, 0, 0, 1]).long()


def slope(images):
    return images[:, 0, 0, 0] - images[:, 0, 0, 1]


def drawn(images):
    """Two classes by which pixel is brighter, with noise that one step of eps outweighs."""
    lead = 10 * (slope(images) + 0.05 * torch.randn_like(slope(images)))
    return torch.stack([-lead, lead], 1)


DRAWN = {
    "brightness": lambda images: (drawn(images), images.flatten(1).mean(1)),
    "contrast": lambda images: (drawn(images), slope(images).abs()),
    "random scores": lambda images: (drawn(images), images.flatten(1).mean(1) + 0.05 * torch.randn(len(images))),
    "decisions": lambda images: (drawn(images), images.flatten(1).mean(1) > 0.5),
    "nothing": drawn,
}


def left_of_pairs(kind, **settings):
    held_out = {} if kind in ("decisions", "nothing") else {"calibration": SHOWN}
    return evaluate_defence(DRAWN[kind], PAIRS, LEFT, **FEW | {"draws": 8} | held_out | settings)


@pytest.mark.parametrize("kind", DRAWN)
def test_who_knows_everything_never_leaves_more_than_who_knows_less(kind):
    found = left_of_pairs(kind, queries=10, steps=3)

    assert all(found.robust_accuracy.value <= rate.value for rate in found.left.values())


def test_a_point_that_is_wrong_by_a_hair_in_expectation_is_pushed_up_to_the_threshold():
    """The score is the lead itself, so no point fools more draws than one just below the threshold."""
    found = left_of_pairs("contrast", draws=20, steps=20)
    least = torch.distributions.Normal(0.0, 0.05).cdf(torch.tensor(-found.threshold)).item()

    assert least - 0.1 <= found.robust_accuracy.value <= least + 0.15


def test_a_step_of_less_than_one_of_255_levels_is_taken_whatever_pixel_is_watched():
    """No studied image lies between two levels; those of a caller may. The first pixel has to stay nearly as it is."""
    watched, settings = torch.full((10, 1, 2, 2), 0.4985), FEW | {"eps": 0.003}
    held_out = torch.linspace(0.498, 0.499, 40).view(40, 1, 1, 1).expand(40, 1, 2, 2)

    def defence(images):
        lead = 100 * (images.flatten(1).mean(1) - 0.4995)
        return torch.stack([-lead, lead], 1), images[:, 0, 0, 0]

    by_gradients, by_answers = (
        evaluate_defence(defence, watched, torch.zeros(10).long(), calibration=held_out, **settings | one)
        for one in ({"queries": 0}, {"queries": 200, "steps": 1})
    )

    assert by_gradients.left[CLASSIFIER].value == 1 and by_gradients.robust_accuracy.value == 0
    assert by_answers.left[ANSWERS].value < 1
    assert (by_gradients.attacked - watched).abs().max() <= 0.003 + 1e-6


def test_all_tensors_lie_where_the_images_lie(monkeypatch):
    """Here images lie on the CPU, and a tensor that nobody places lies elsewhere, as with images on a GPU."""

    @contextmanager
    def elsewhere():
        with torch.device("meta"):
            yield State()

    monkeypatch.setattr(torch_state, "defaults", elsewhere)

    left_of_pairs("contrast", draws=2, queries=2, steps=1)


def test_what_attacks_read_passes_the_gate_as_what_is_called_does():
    """Half precision becomes single, and logits that turn wrong later are refused."""
    classes = 2

    def defence(images):
        return logits(images).half()[:, :classes], leads(images).half()

    deployed = Deployed(defence)
    with gate.entered(deployed, GRAY, CLASSES, batch_size=8):
        answer = deployed.answer(GRAY[:4])
        classes = 1
        with pytest.raises(ValueError, match=r"the model returns shape \(4, 1\) for 4 images"):
            deployed.answer(GRAY[:4])

    assert answer.logits.dtype == answer.scores.dtype == torch.float32


def test_every_value_goes_through_json():
    read = json.loads(json.dumps(left(lambda images: (logits(images), leads(images) > 2)).as_dict()))

    assert read["left"]["everything"] == read["robust_accuracy"] and read["rejected"][CLASSIFIER]["value"] == 0


class Reversed(torch.autograd.Function):
    """The images themselves, with a gradient that points the wrong way."""

    @staticmethod
    def forward(context, images):
        return images.clone()

    @staticmethod
    def backward(context, slope):
        return -slope


def test_failed_checks_of_the_classifier_are_kept_beside_a_rejection():
    def reversed_logits(images):
        return logits(Reversed.apply(images))

    alone, beside = (
        left(defence, queries=200)
        for defence in (
            reversed_logits,
            lambda images: (reversed_logits(images), torch.zeros(len(images), dtype=torch.bool)),
        )
    )

    assert alone.failed_checks and not beside.can_be_trusted
    assert {f"the classifier alone: {check}" for check in alone.failed_checks} <= set(beside.failed_checks)


def bare_numpy(images):
    brighter = images.numpy().reshape(len(images), -1).mean(1) - 0.5
    return torch.stack([-torch.from_numpy(brighter), torch.from_numpy(brighter)], 1)


@pytest.mark.parametrize("rejects", [False, True])
def test_a_defence_that_asks_for_numpy_is_followed_along_an_imitation(rejects):
    def defence(images):
        return (bare_numpy(images), torch.zeros(len(images), dtype=torch.bool)) if rejects else bare_numpy(images)

    assert left(defence, queries=0).robust_accuracy.value == pytest.approx(0.8, abs=0.06)


def random_scores(images):
    return logits(images), leads(images) + 0.1 * torch.randn(len(images))


def test_scores_that_vary_need_draws_and_no_more_is_said_once_they_have_them():
    with pytest.warns(UserWarning, match="answers differently when it is called again.*draws=20"):
        left(random_scores, calibration=GRAY, queries=2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        left(random_scores, calibration=GRAY, queries=2, steps=1, draws=4)


def test_draws_of_a_defence_whose_logits_and_scores_are_fixed_cause_a_warning():
    with pytest.warns(UserWarning, match="draws only costs time"):
        left(lambda images: (logits(images), leads(images) > 2), queries=2, steps=1, draws=2)


def test_the_stand_in_is_evaluated_in_eval_mode_and_comes_back_as_it_was():
    stand_in = nn.Sequential(nn.Dropout(0.5), nn.Flatten(), nn.Linear(1, 2)).train()

    with pytest.warns(UserWarning, match="backward is in train mode; it is evaluated in eval mode"):
        left(lambda images: logits(images.detach()), queries=2, backward=stand_in)

    assert stand_in.training and stand_in[2].weight.requires_grad and stand_in[2].weight.grad is None


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
        (
            lambda images: (
                logits(images),
                (0.996 - images.flatten(1)[:, 0]).sqrt(),
            ),  # NaN near white, which attacks reach
            {"calibration": GRAY},
            "the defence returns NaN or infinity as the score of [0-9]+ of [0-9]+ images",
        ),
        (
            lambda images: (logits(images), -leads(images).abs().log()),
            {"calibration": torch.full((4, 1, 1, 1), 0.5)},
            "the defence returns NaN or infinity as the score of 4 of 4 images",
        ),
        (lambda images: (logits(images), leads(images)), {"calibration": GRAY[:1]}, "calibration holds 1 image"),
        (lambda images: {"logits": logits(images)}, {}, "returns a dict, expected logits"),
        (logits, {"eps": 0.6}, "eps must be above 0 and below 0.5"),
        (logits, {"false_positive_rate": 1.0}, "false_positive_rate must be between 0 and 1"),
    ],
)
def test_what_is_no_defence_is_refused_in_words(defence, settings, words):
    with pytest.raises((TypeError, ValueError), match=words):
        left(defence, **settings)


@pytest.mark.parametrize("place", [0, 79])
def test_one_image_without_a_gradient_does_not_hide_that_of_the_others(place):
    torch.manual_seed(0)
    weights, images = torch.randn(64), torch.rand(80, 1, 8, 8)

    def defence(images):  # the deviation of an image of one colour has no slope
        pixels = images.flatten(1)
        lead = (pixels - pixels.mean(1, keepdim=True)) @ weights / (pixels.var(1, keepdim=True).sqrt()[:, 0] + 1e-3)
        return torch.stack([-lead, lead], 1)

    images[place] = 0

    assert has_gradient(Deployed(defence), images, 64) == (True, False)


@pytest.mark.parametrize("flat", [0, 70, 79, 80])
def test_a_gradient_is_found_at_whichever_image_has_one(flat):
    images = torch.rand(80, 1, 4, 4)
    images[:flat] = 1

    def defence(images):
        lead = images.flatten(1).mean(1).clamp(max=0.99)
        return torch.stack([-lead, lead], 1), lead

    assert has_gradient(Deployed(defence), images, 64) == (flat < 80, flat < 80)
