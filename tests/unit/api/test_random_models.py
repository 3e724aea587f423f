"""Three planted defences that draw or purify fall to their analytic value; without the expectation they would not."""

import math
import warnings

import pytest
import torch

import touchstone

N = 1000
LABELS = torch.arange(N) % 2


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


def pictures(*leads):
    """Images of 0.5, whose pixel i leads towards the class by leads[i]."""
    signs = (2.0 * LABELS - 1)[:, None]
    return (0.5 + signs * torch.tensor(leads)).view(N, 1, 1, len(leads))


def logits(sums):
    return torch.stack([-sums, sums], 1)


def test_noise_on_the_input_leaves_what_the_normal_distribution_says():
    images = pictures(0.15, 0.15)  # their sum leads by 0.3; an attack of 0.1 takes 0.2 of it

    def noisy(batch):
        noise = 0.1 * torch.randn(len(batch))
        return logits(20 * ((batch - 0.5).flatten(1).sum(1) + noise))

    result = touchstone.evaluate(noisy, images, LABELS, eps=0.1, draws=16, queries=20, restarts=1)

    left = 0.5 * (1 + math.erf(1 / math.sqrt(2)))  # the lead left is one standard deviation of the noise
    assert result.robust_accuracy.value == pytest.approx(left, abs=4 * math.sqrt(left * (1 - left) / N))
    assert result.clean_accuracy.value > 0.99


@pytest.mark.parametrize(("eps", "left"), [(0.1, 2 / 3), (0.3, 0)])
def test_a_random_choice_of_heads_leaves_the_share_that_the_budget_does_not_reach(eps, left):
    images = pictures(0.05, 0.2, 0.2)  # one pixel per head; 0.1 turns the first

    def random_head(batch):
        chosen = torch.randint(3, (len(batch), 1))
        return logits(20 * (batch - 0.5).flatten(1).gather(1, chosen)[:, 0])

    result = touchstone.evaluate(random_head, images, LABELS, eps=eps, draws=16, queries=10, restarts=1)

    assert result.robust_accuracy.value == pytest.approx(left, abs=0.005 + 4 * math.sqrt(left * (1 - left) / N))
    assert result.failed_checks == ()


def test_a_point_that_fools_is_not_given_up_for_one_with_a_higher_cross_entropy():
    """A bright image turns class 0 into class 1 by a hair; a dark one keeps it, with two close rivals."""

    def three(images):
        brighter = 20 * (images.flatten(1).mean(1) - 0.5)
        return torch.stack([0 * brighter, -0.025 + 0.075 * brighter, -1.55 - 1.45 * brighter], 1)

    images, labels = torch.full((8, 1, 2, 2), 0.5), torch.zeros(8, dtype=torch.int64)

    result = touchstone.evaluate(three, images, labels, eps=0.05, draws=2, steps=10, restarts=3, queries=10)

    assert result.clean_accuracy.value == 1 and result.robust_accuracy.value == 0


def test_a_purifier_without_a_gradient_falls_through_its_stand_in_and_only_then():
    images = pictures(*[0.15] * 8)
    levels = 5  # 0.65 is rounded to 0.75; a change of 0.3 brings it to 0.25

    def bare(batch):
        return logits(20 * (batch - 0.5).flatten(1).mean(1))

    def purified(batch):
        return bare((batch * (levels - 1)).round() / (levels - 1))

    plain = touchstone.evaluate(purified, images, LABELS, eps=0.3, queries=0, restarts=1)
    through = touchstone.evaluate(purified, images, LABELS, eps=0.3, queries=0, restarts=1, backward=bare)

    assert plain.robust_accuracy.value > 0.5 and plain.failed_checks
    assert through.robust_accuracy.value == 0 and not through.failed_checks


def test_too_few_draws_are_refused():
    with pytest.raises(ValueError, match="draws must be at least 1, got 0"):
        touchstone.evaluate(bool, pictures(0.1), LABELS, draws=0)


SMALL = {"draws": 2, "queries": 1, "restarts": 1, "steps": 1}


@pytest.mark.parametrize("wrapped", [False, True], ids=["module", "function"])
def test_draws_of_a_model_that_returns_the_same_logits_each_time_cause_a_warning(wrapped):
    dropout = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Dropout(0.5), torch.nn.Linear(2, 2)).train()
    few, labels = pictures(0.1, 0.1)[:20], LABELS[:20]

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        touchstone.evaluate((lambda images: dropout(images)) if wrapped else dropout, few, labels, **SMALL)

    messages = " ".join(str(each.message) for each in caught)
    assert ("the model returns the same logits each time" in messages) is not wrapped
    assert ("the model is in train mode" in messages) is not wrapped


@pytest.mark.parametrize("columns", [slice(1), [0, 1, 1]])
def test_a_stand_in_for_other_classes_is_refused(columns):
    def bare(batch):
        return logits((batch - 0.5).flatten(1).mean(1))

    with pytest.raises(
        ValueError, match=r"backward returns shape \(1, (1\) for 1 image, expected|3\), and the model \(1, 2\))"
    ):
        touchstone.evaluate(bare, pictures(0.1), LABELS, backward=lambda batch: bare(batch)[:, columns])
