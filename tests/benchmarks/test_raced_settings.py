"""The suite that `evaluate` and an assay run has the settings of the suite that raced against AutoAttack."""

import inspect
from types import SimpleNamespace

import pytest
import torch

import attack_strength
import racing
from touchstone.api import attacked_rows, robust_accuracy
from touchstone.assay import methods
from touchstone.assay.model_zoo import Published
from touchstone.attacks.attack_suite import attack_suite

DEFAULTS = {
    name: parameter.default
    for name, parameter in inspect.signature(attack_suite).parameters.items()
    if parameter.kind is parameter.KEYWORD_ONLY
}
EFFORT = DEFAULTS.keys() - {"eps", "norm"}  # what makes a suite stronger or weaker


@pytest.fixture
def raced(monkeypatch):
    """Each setting of the suite in the race, as the race calls it."""
    calls = []
    monkeypatch.setattr(
        attack_strength, "attack_suite", lambda model, images, *_, **stated: calls.append(stated) or images
    )
    rows = racing.Rows(torch.zeros(1, 1, 2, 2), torch.zeros(1, dtype=torch.int64), torch.zeros(1, dtype=torch.int64))
    attack_strength.ours(torch.nn.Flatten(), rows, 0.1, "linf")
    return {name: value for name, value in (DEFAULTS | calls[0]).items() if name in EFFORT}


def assayed(effort):
    """The attacks of an assay of a network whose published figure has another budget than the assay."""
    facts = SimpleNamespace(
        eps=0.1, eps_written="1/10", model=SimpleNamespace(special=False), other_budget=True,
        published=Published("cifar10/L2/Some", "l2", "0.5", 90.0, 70.0, "AutoAttack"),
    )  # fmt: skip
    return methods.attacks(facts, methods.EFFORTS[effort])


def test_evaluate_runs_the_suite_as_raced(raced, monkeypatch):
    calls = []
    monkeypatch.setattr(
        attacked_rows, "attack_suite", lambda model, images, *_, **stated: calls.append(stated) or images
    )
    squares = []
    monkeypatch.setattr(
        attacked_rows.suite_phases, "search_on", lambda *data, **stated: squares.append(stated) or data[1]
    )

    model, labels = torch.nn.Flatten().eval(), torch.zeros(2, dtype=torch.int64)
    robust_accuracy.evaluate(model, torch.rand(2, 1, 2, 2), labels, eps=0.1)

    run = DEFAULTS | calls[0] | squares[0]
    assert {name: run[name] for name in EFFORT} == raced


@pytest.mark.parametrize("effort", ["usual", "full"])
def test_an_assay_runs_the_suite_as_raced_or_a_stronger_one(raced, effort):
    attacks = assayed(effort)

    for name in ("worst", "published_budget"):
        run = DEFAULTS | attacks[name]
        assert {each: run[each] for each in EFFORT - {"queries"}} == {
            each: raced[each] for each in EFFORT - {"queries"}
        }
        assert run["queries"] == raced["queries"] if effort == "usual" else run["queries"] > raced["queries"]


def test_a_quick_assay_runs_a_weaker_suite_and_says_so(raced):
    run = DEFAULTS | assayed("quick")["worst"]

    assert run["restarts"] < raced["restarts"] and run["queries"] < raced["queries"]
    (words,) = methods.EFFORTS["quick"].weaker()
    assert "3 restarts instead of 15, 100 queries instead of 1,500" in words
    assert methods.EFFORTS["usual"].weaker() == methods.EFFORTS["full"].weaker() == ()
