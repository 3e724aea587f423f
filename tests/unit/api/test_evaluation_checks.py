"""The checks of `evaluate` agree with its result, at any scale of the logits, and still find hidden gradients."""

import pytest
import torch

from touchstone.api.robust_accuracy import EvaluationResult, evaluate
from touchstone.evaluations.statistics import intervals
from touchstone.evaluations.statistics.sanity_checks import CHECKS

FEW = {"steps": 10, "restarts": 3, "queries": 30}
SCALES = [1e-4, 1, 1e4]
FORMS = {f"{scale:g} times": lambda z, scale=scale: scale * z for scale in SCALES} | {
    "shifted up": lambda z: z + 1e4,
    "shifted down": lambda z: z - 1e3,
    "shifted per image": lambda z: z - z.amax(1, keepdim=True),
    "log probabilities": lambda z: z.log_softmax(1),
    "a hot softmax": lambda z: (z / 50).log_softmax(1),
}
BUDGETS = {0.001: 1.0, 0.35: 0.0}  # and the robust accuracy of both networks


def linear(images):
    """Return logits whose margins are known, so that the network is robust and has a useful gradient everywhere."""
    return 20 * images[:, 0, :3].mean(2)


class _Reversed(torch.autograd.Function):
    """Pixels whose gradient points the wrong way."""

    @staticmethod
    def forward(ctx, images):
        return images.clone()

    @staticmethod
    def backward(ctx, gradient):
        return -gradient


MASKS = {
    "rounded pixels": lambda model: lambda x: model((x * 8).round() / 8),
    "rounded logits": lambda model: lambda x: (10 * model(x)).round(),
    "no gradient": lambda model: lambda x: model(x.detach()) + 0 * x.flatten(1).sum(1, keepdim=True),
    "reversed gradient": lambda model: lambda x: model(_Reversed.apply(x)),
    "saturated": lambda model: lambda x: torch.nn.functional.one_hot(model(x).argmax(1), 3) + 0 * model(x),
}


@pytest.fixture(scope="module", params=["plain", "linear"])
def network(request, world):
    return world[0] if request.param == "plain" else linear


def stated(check):
    """Return the number that a failed check states, as a share."""
    words = next(each.words for each in CHECKS.values() if check.startswith(each.words))
    return float(check.removeprefix(words).split()[0]) / 100


def assert_consistent(found, model, images, labels):
    """Assert that no check says what the returned images refute."""
    with torch.no_grad():
        clean, attacked = model(images), model(found.attacked)
    losses = [torch.nn.functional.cross_entropy(z.double(), labels, reduction="none") for z in (clean, attacked)]
    wrong = (clean.argmax(1) != labels) | (attacked.argmax(1) != labels)
    robust = found.robust_accuracy.value
    assert float((~wrong).double().mean()) == pytest.approx(robust)
    for check in found.failed_checks:
        if "large eps" in check:
            assert 0.005 < stated(check) <= robust + 1e-3
        elif "loss rises" in check:
            assert float((wrong | (losses[1] > losses[0])).double().mean()) <= stated(check) + 1e-3
        else:
            assert 0.005 < stated(check) <= found.clean_accuracy.value - robust + 1e-3
    assert ("do not trust" in repr(found)) == (bool(found.failed_checks) and robust > 0)


@pytest.fixture(scope="module")
def unchanged(network, world):
    """The robust accuracy of the network itself within a budget that fools some images."""
    _, (images, labels), _ = world
    return {0.15: evaluate(network, images, labels, eps=0.15, **FEW).robust_accuracy.value} | BUDGETS


@pytest.mark.parametrize("eps", [0.15, *BUDGETS])
@pytest.mark.parametrize("form", FORMS)
def test_an_honest_network_fails_no_check_at_any_scale(network, world, unchanged, form, eps):
    _, (images, labels), _ = world
    model = lambda x: FORMS[form](network(x))  # noqa: E731

    found = evaluate(model, images, labels, eps=eps, **FEW)

    assert found.failed_checks == ()
    assert found.robust_accuracy.value == pytest.approx(unchanged[eps], abs=0.02)
    assert_consistent(found, model, images, labels)


@pytest.mark.parametrize(("scale", "eps"), [(1e-4, 0.1), (1, 0.25), (1e4, 0.1)])
@pytest.mark.parametrize("mask", MASKS)
def test_a_hidden_gradient_fails_a_check_at_every_scale(network, world, mask, scale, eps):
    _, (images, labels), _ = world
    hidden = MASKS[mask](network)
    model = lambda x: scale * hidden(x)  # noqa: E731
    if mask.endswith("saturated") and scale == 1:
        with pytest.raises(ValueError, match="the model returns probabilities"):
            evaluate(model, images, labels, eps=eps, **FEW)
        return

    found = evaluate(model, images, labels, eps=eps, **FEW)

    assert found.failed_checks
    assert_consistent(found, model, images, labels)


def test_a_row_that_a_user_s_attack_fools_is_not_left_at_a_large_eps(world):
    model, (images, labels), _ = world
    hidden = MASKS["no gradient"](model)
    few = {"eps": 0.35, "steps": 1, "restarts": 1, "queries": 0}

    def knows_the_network(_, images, labels, generator):
        return evaluate(model, images, labels, eps=0.35, **FEW).attacked

    plain, found = (evaluate(hidden, images, labels, attacks=each, **few) for each in ((), (knows_the_network,)))

    assert "left at a large eps" in repr(plain) and "do not trust it" in repr(plain)
    assert found.robust_accuracy.value == 0 and "left at a large eps" not in repr(found)


def test_an_accuracy_of_0_is_not_doubted_though_a_gradient_is_hidden():
    zero, one = intervals.binomial(0, 60), intervals.binomial(60, 60)
    checks = ("leaves more than a black-box attack does, by +40.0 points, asked ≤ 0.5 points",)

    surely, doubted = (EvaluationResult(one, rate, torch.zeros(60, 1, 2, 2), checks, 0.1) for rate in (zero, one))

    assert "do not trust" not in repr(surely) and "failed checks: leaves more" in repr(surely)
    assert "do not trust it: leaves more" in repr(doubted)


def test_a_random_model_s_accuracy_of_0_leaves_nothing_at_a_large_eps(world):
    model, (images, labels), _ = world
    noisy = lambda x: 1e3 * model(x + 0.01 * torch.randn_like(x))  # noqa: E731

    found = evaluate(noisy, images, labels, eps=0.35, draws=4, **FEW)

    assert found.robust_accuracy.value == 0 and found.failed_checks == ()
