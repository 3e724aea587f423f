"""Components by name: checked settings, and the function that they are bound to."""

import doctest

import pytest
import torch

from touchstone.api import components as module
from touchstone.api.components import component, components
from touchstone.attacks.fgsm import fgsm
from touchstone.attacks.pgd import pgd
from touchstone.numerics.tensors import RandomStreams

IMAGES, LABELS = torch.rand(6, 1, 4, 4, generator=torch.Generator().manual_seed(0)), torch.arange(6) % 2
WEIGHTS = torch.randn(16, 2, generator=torch.Generator().manual_seed(1))


def model(images):
    return images.flatten(1) @ WEIGHTS


def draws():
    return RandomStreams(0, "attack", torch.arange(6))


def test_the_examples_of_the_docstrings_are_true():
    result = doctest.testmod(module, optionflags=doctest.ELLIPSIS)

    assert (result.attempted > 2, result.failed) == (True, 0)


def test_an_attack_by_name_is_the_attack():
    attack = component("attacks/pgd", eps="8/255", steps=3)

    assert torch.equal(
        attack(model, IMAGES, LABELS, draws()), pgd(model, IMAGES, LABELS, draws(), eps=8 / 255, steps=3)
    )


def test_a_component_takes_components_as_settings():
    worst = component("attacks/worst_of", attacks=[component("attacks/fgsm", eps=0.1), fgsm])

    assert worst(model, IMAGES, LABELS, draws()).shape == IMAGES.shape


def test_a_fitted_detector_brings_its_fit_and_each_gets_its_own_settings():
    detector = component("detectors/mahalanobis", shrinkage=0.5)
    features = torch.randn(40, 3, generator=torch.Generator().manual_seed(2))

    state = detector.fit(features, torch.arange(40) % 2)

    assert detector(features, state).shape == (40,)
    assert component("detectors/msp").fit is None


def test_names_are_those_of_the_folder():
    assert "pgd" in components("attacks") and list(components("attacks")) == sorted(components("attacks"))


@pytest.mark.parametrize(
    ("use", "settings", "message"),
    [
        ("attacks/pdg", {"eps": 0.1}, r"attacks/pdg: no such component; attacks/ has .* Did you mean pgd\?"),
        ("attaks/pgd", {}, r"attaks: no such component folder; .* Did you mean attacks\?"),
        ("pgd", {}, "pgd: no such component folder"),
        ("attacks/pgd", {"eps": 0.1, "step_sise": 1}, r"step_sise: unknown setting; .* Did you mean step_size\?"),
        ("attacks/pgd", {"eps": -1}, "attacks/pgd: eps: expected float .*, got -1"),
        ("attacks/pgd", {"eps": 0.1, "steps": 2.5}, "attacks/pgd: steps: expected int .*, got 2.5"),
        ("attacks/pgd", {"eps": 0.1, "steps": None}, "attacks/pgd: steps: expected int"),
        ("sources/own_files", {}, "sources/own_files: location: required setting, str"),
        ("attacks/worst_of", {"attacks": ["pgd"]}, r'expected a function, such as .*"attacks/NAME".*, got "pgd"'),
        ("attacks/worst_of", {"attacks": []}, "attacks: expected list of"),
        ("detectors/max_logit", {"temperature": 1}, "temperature: unknown setting; it has no settings"),
    ],
)
def test_what_is_wrong_is_said_before_anything_runs(use, settings, message):
    with pytest.raises(ValueError, match=message):
        component(use, **settings)
