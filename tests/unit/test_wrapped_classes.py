"""Classes of torchattacks and pytorch-ood by name: mistakes are found while planning, and the job says what is missing."""

import re
import sys
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn

from touchstone import registry, wrapped_classes
from touchstone.numerics.tensors import RandomStreams, row_norms
from touchstone.pipeline.planning.plan import Plan
from touchstone.settings.files import ParamsError
from touchstone.settings.study import load

ROOT = Path(__file__).parents[2]
ATTACK, DETECTOR = "attacks/torchattacks", "detectors/pytorch_ood"
THEIRS = """
title: Theirs
data:
  train: {{digits_train: {{use: digits, source: sklearn_digits, part: train}}}}
  validation: {{digits_validation: {{use: digits, source: sklearn_digits, part: validation}}}}
  calibration: {{digits_calibration: {{use: digits, source: sklearn_digits, part: calibration}}}}
  test: {{digits_test: {{use: digits, source: sklearn_digits, part: test}}}}
papers: {{fgsm: chosen, aloe: chosen}}
change:
  attacks: {{theirs: {{use: torchattacks, {attack}}}}}
  detectors: {{scored: {{use: pytorch_ood, {detector}}}}}
  evaluations:
    attacked: {{use: robustness, question: What is left, system: fgsm, classifiers: [cnn], examples: [digits_test], attacks: [theirs]}}
    seen: {{use: detection, question: Does it help, system: aloe, classifiers: [cnn], examples: [digits_test, uniform],
      detectors: [scored], id_examples: digits_test}}
"""


@pytest.fixture(autouse=True)
def read_again():
    yield
    wrapped_classes.wrapped_classes.cache_clear()


def study(tmp_path, attack="name: PGD", detector="name: EnergyBased"):
    (tmp_path / "workflow/studies").mkdir(parents=True, exist_ok=True)
    (tmp_path / "workflow/studies/own.yaml").write_text(THEIRS.format(attack=attack, detector=detector))
    return load("own", tmp_path)


@pytest.fixture
def model():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Flatten(), nn.Linear(16, 3)).eval()


@pytest.fixture
def images():
    return torch.randn(6, 1, 4, 4, generator=torch.Generator().manual_seed(0)).sigmoid()


def attacked(model, images, **settings):
    streams = RandomStreams(0, "attack", torch.arange(len(images)))
    return registry.load(ATTACK)(model, images, torch.arange(len(images)) % 3, streams, **settings)


def test_a_study_names_a_class_and_its_settings(tmp_path):
    found = study(tmp_path, "name: PGD, eps: 8/255, settings: {alpha: 2/255, random_start: false}", "name: MaxLogit")

    settings = {"alpha": 2 / 255, "random_start": False}
    theirs = {"use": ATTACK, "name": "PGD", "eps": 8 / 255, "norm": "linf", "settings": settings}
    assert found["attacks"]["theirs"].items() >= theirs.items()
    assert found["detectors"]["scored"]["settings"] is None


MISTAKES = [
    ({"attack": "name: PDG"}, "attacks.theirs.name: torchattacks has no class PDG that", "Did you mean PGD?"),
    ({"attack": "name: DeepFool"}, "attacks.theirs.name: torchattacks has no class DeepFool that takes an eps", ""),
    ({"attack": "name: PGD, settings: {stesp: 3}"}, "attacks.theirs.settings.stesp: not a setting of PGD", "mean steps?"),
    ({"attack": "name: FGSM, settings: {eps: 0.2}"}, "attacks.theirs.settings.eps: not a setting of FGSM. It has none", ""),
    ({"attack": "name: PGDL2"}, "attacks.theirs.norm: PGDL2 keeps to a ball in l2, got linf", ""),
    ({"attack": "name: PGD, settings: [3]"}, "attacks.theirs.settings: expected block of words, numbers", "got [3]"),
    ({"attack": "name: PGD, settings: {steps: [3]}"}, "attacks.theirs.settings: expected block of words, numbers", ""),
    ({"attack": "name: PGD, eps: 2"}, "attacks.theirs.eps: expected float from 0 to 1", ""),
    ({"detector": "name: Energy"}, "detectors.scored.name: pytorch-ood has no class Energy", "Did you mean EnergyBased?"),
    ({"detector": "name: GMM"}, "pytorch-ood has no class GMM that scores logits and needs no fit", ""),
    ({"detector": "name: MaxSoftmax, settings: {T: 1}"}, "scored.settings.T: not a setting of MaxSoftmax", "are t."),
]  # fmt: skip


@pytest.mark.parametrize(("written", "message", "hint"), MISTAKES, ids=[row[1][:60] for row in MISTAKES])
def test_a_mistake_is_found_before_any_job(tmp_path, written, message, hint):
    with pytest.raises(ParamsError, match=re.escape(message)) as error:
        study(tmp_path, **written)

    assert hint in str(error.value)


def test_without_the_libraries_a_study_is_planned_and_its_job_says_what_to_install(
    tmp_path, monkeypatch, model, images
):
    def missing(package):
        raise wrapped_classes.PackageNotFoundError(package)

    wrapped_classes.wrapped_classes.cache_clear()
    monkeypatch.setattr(wrapped_classes, "find_spec", lambda name: None)
    monkeypatch.setattr(wrapped_classes, "version", missing)

    assert study(tmp_path, "name: PDG")["attacks"]["theirs"]["name"] == "PDG"
    with pytest.raises(
        ValueError, match=r"torchattacks is not installed: .venv/bin/pip install --no-deps torchattacks=="
    ):
        attacked(model, images)
    with pytest.raises(ValueError, match="pytorch-ood is not installed"):
        registry.load(DETECTOR)(torch.rand(3, 4))


def test_another_version_is_refused(monkeypatch, model, images):
    monkeypatch.setattr(wrapped_classes, "version", lambda package: "0.1")

    with pytest.raises(ValueError, match=r"needs torchattacks 3.5.1, and 0.1 is installed: .venv/bin/pip install"):
        attacked(model, images)


def test_a_job_refuses_what_planning_without_the_library_could_not_see(model, images):
    with pytest.raises(ValueError, match=r"attacks/torchattacks: settings.stesp: not a setting of PGD"):
        attacked(model, images, settings={"stesp": 3})


def test_the_names_are_read_without_importing_the_library():
    modules = {name for name in sys.modules if name.startswith(("torchattacks", "pytorch_ood"))}

    for component in wrapped_classes.LIBRARIES:
        assert len(wrapped_classes.wrapped_classes(component)) >= 5

    assert {name for name in sys.modules if name.startswith(("torchattacks", "pytorch_ood"))} == modules


def test_an_attack_gives_what_its_class_gives(model, images):
    library = pytest.importorskip("torchattacks")

    made = attacked(model, images, name="BIM", settings={"steps": 4})

    torch.testing.assert_close(made, library.BIM(model, eps=0.1, steps=4)(images, torch.arange(6) % 3))


@pytest.mark.parametrize(("name", "norm"), [("APGD", "linf"), ("APGD", "l2"), ("PGDL2", "l2"), ("FGSM", "linf")])
def test_an_attack_keeps_to_its_budget(model, images, name, norm):
    made = attacked(model, images, name=name, norm=norm, eps=0.3)

    assert 0 < row_norms(made - images, norm).max() <= 0.3 + 1e-6
    assert made.min() >= 0 and made.max() <= 1


def test_an_attack_of_eps_0_changes_nothing(model, images):
    assert torch.equal(attacked(model, images, eps=0.0), images)


@pytest.mark.parametrize("name", ["EnergyBased", "Entropy", "MaxLogit", "MaxSoftmax"])
def test_a_detector_gives_what_its_class_gives_with_a_gradient(name):
    library = pytest.importorskip("pytorch_ood.detector")
    logits = torch.randn(5, 3, generator=torch.Generator().manual_seed(0)).requires_grad_()

    scores = partial(registry.load(DETECTOR), name=name)(logits)

    torch.testing.assert_close(scores, getattr(library, name)(None).predict_logits(logits.detach()), check_stride=False)
    assert torch.autograd.grad(scores.sum(), logits)[0].abs().sum() > 0


def test_a_study_with_their_classes_can_be_planned(tmp_path):
    """The digest of a job's code follows the component into the library."""
    plan = Plan(study(tmp_path))

    assert {"theirs", "scored"} <= plan.study["attacks"].keys() | plan.study["detectors"].keys()
    assert plan.codes()
