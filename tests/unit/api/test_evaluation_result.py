"""The result of `evaluate` for programs, pull requests and tests."""

import json

import pytest
import torch
from torch import nn

import touchstone
from touchstone.api.evaluation_result import EvaluationResult
from touchstone.evaluations.statistics.intervals import binomial
from touchstone.testing import assert_robust

FEW = {"eps": 0.05, "steps": 5, "restarts": 1, "queries": 10}
DOUBT = "Square finds 3 % more"


def result(hits=5, checks=()):
    return EvaluationResult(binomial(9, 10), binomial(hits, 10), torch.zeros(10, 1, 2, 2), checks, 0.05)


def test_json_takes_every_value_of_a_result():
    read = json.loads(json.dumps(result(checks=(DOUBT,)).as_dict()))

    assert read["robust_accuracy"] == {
        "value": 0.5,
        "low": pytest.approx(0.187, abs=1e-3),
        "high": pytest.approx(0.813, abs=1e-3),
    }
    assert (read["clean_accuracy"]["value"], read["images"], read["eps"]) == (0.9, 10, 0.05)
    assert read["failed_checks"] == [DOUBT] and read["can_be_trusted"] is False


def test_markdown_has_both_accuracies_and_says_whether_to_trust_them():
    table = result(checks=(DOUBT,)).as_markdown()

    assert "| clean accuracy | 0.900 | [0.555, 0.997] |" in table and "| robust accuracy | 0.500 |" in table
    assert f"Do not trust it: {DOUBT}." in table
    assert "trust" not in result().as_markdown() and "trust" not in result(hits=0, checks=(DOUBT,)).as_markdown()


@pytest.fixture(scope="module")
def linear():
    """A linear model of two classes, and images whose distances to its boundary are evenly spread up to 0.1."""
    weights = torch.tensor([[1.0], [-1.0]])
    model = nn.Sequential(nn.Flatten(), nn.Linear(1, 2))
    model[1].weight.data, model[1].bias.data = weights, torch.tensor([-0.5, 0.5])
    images = 0.5 + 0.1 * torch.linspace(0.005, 0.995, 100)
    return model.eval(), images.view(100, 1, 1, 1), torch.zeros(100, dtype=torch.int64)


def test_a_robust_model_passes_and_its_result_is_returned(linear):
    assert assert_robust(*linear, at_least=0.45, **FEW).robust_accuracy.value == pytest.approx(0.5, abs=0.01)


def test_a_model_less_robust_than_asked_fails_with_both_numbers(linear):
    with pytest.raises(
        AssertionError, match=r"robust accuracy 0.5\d0 is below 0.55\. EvaluationResult\(clean accuracy"
    ):
        assert_robust(*linear, at_least=0.55, **FEW)


def test_a_model_that_hides_its_gradients_fails_whatever_it_keeps(linear):
    model, images, labels = linear
    hidden = lambda x: (1000 * model(x)).round() / 1000 + 0 * x.sum()  # noqa: E731

    with pytest.raises(AssertionError, match=r"the attacks were too weak to say whether robust accuracy is 0\.01"):
        assert_robust(hidden, images, labels, at_least=0.01, **FEW | {"queries": 200, "eps": 0.03})


@pytest.mark.parametrize("share", [0, 1.5, -0.1])
def test_a_share_that_asks_for_nothing_is_refused(linear, share):
    with pytest.raises(ValueError, match="at_least must be above 0 and at most 1"):
        assert_robust(*linear, at_least=share)


def test_the_assertion_takes_a_loader(linear):
    model, images, labels = linear
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(images, labels), batch_size=32)

    assert assert_robust(model, loader, at_least=0.45, **FEW) and touchstone.evaluate(model, loader, **FEW)


def test_a_defence_is_judged_by_what_an_attacker_leaves_who_knows_everything(linear):
    model, images, labels = linear

    def defence(points):
        return model(points), points.flatten(1).mean(1) < -1  # rejects nothing

    found = assert_robust(defence, images, labels, at_least=0.45, **FEW)
    assert found.left["everything"] == found.robust_accuracy
    with pytest.raises(AssertionError, match=r"is below 0\.6.*DefenceResult"):
        assert_robust(defence, images, labels, at_least=0.6, **FEW)


def test_a_model_that_cannot_be_judged_is_refused_without_the_frames_of_touchstone(linear):
    _, images, labels = linear

    with pytest.raises(TypeError, match="the model returns a NoneType") as raised:
        assert_robust(lambda points: None, images, labels, at_least=0.5, **FEW)

    assert [entry.name for entry in raised.traceback[1:]] == ["assert_robust"] and raised.value.__cause__ is None


def test_evaluate_names_the_function_for_a_pair(linear):
    model, images, labels = linear

    with pytest.raises(TypeError, match=r"touchstone\.evaluate_defence takes the pair; otherwise let it return only"):
        touchstone.evaluate(lambda points: (model(points), points.flatten(1).mean(1) < 0), images, labels, **FEW)
