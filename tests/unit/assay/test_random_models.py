"""An assay of a model that draws random numbers, or purifies its input: refused with the flag to type, then accepted."""

import re
from dataclasses import replace

import pytest
import torch
import yaml
from torch import nn

from touchstone.assay import probe, study, user_models
from touchstone.assay.class_order import Numbering
from touchstone.assay.facts import Facts, ImageFacts, ModelFacts, ProgramFile
from touchstone.pipeline.planning.plan import Plan
from touchstone.settings.study import load

SHAPE, COUNT = (1, 1, 3), 60
LABELS = torch.arange(COUNT) % 2
IMAGES = (0.5 + 0.2 * (2.0 * LABELS - 1)).view(COUNT, 1, 1, 1).expand(COUNT, *SHAPE).contiguous()
NUMBERING = Numbering(place="pictures", names=("a", "b"), empty=(), stated=True, arrays=True)


class Lead(nn.Module):
    """The brighter, the more of class 1."""

    def forward(self, images):
        lead = 20 * (self.changed(images) - 0.5).flatten(1).mean(1)
        return torch.stack([-lead, lead], 1)

    def changed(self, images):
        return images


class Noisy(Lead):
    def changed(self, images):
        return images + 0.02 * torch.randn_like(images)


class Quantised(Lead):
    def changed(self, images):
        return (images * 4).round() / 4


@pytest.fixture
def program(tmp_path):
    """A function that exports a network, and opens the file as an assay does."""
    torch.manual_seed(0)

    def opened(network):
        file = tmp_path / f"{type(network).__name__}.pt2"
        count = torch.export.Dim("images", min=1)
        torch.export.save(torch.export.export(network, (torch.rand(2, *SHAPE),), dynamic_shapes=({0: count},)), file)
        return user_models.open_model(str(file), trust_code=True).program(SHAPE)

    return opened


def probed(network, **seen):
    return probe.probe(network, [0.0], [1.0], IMAGES, LABELS, NUMBERING, **seen)


def test_a_random_model_is_refused_with_the_flag_that_accepts_it(program):
    noisy = program(Noisy())

    with pytest.raises(ValueError, match="If it is a defence that draws random numbers: --draws 20"):
        probed(noisy)
    findings = probed(noisy, draws=4)
    assert noisy.random and findings.accuracy == 1
    assert (
        findings.no_features == findings.no_gradient_norms == "attacks see another network than the one that predicts"
    )


def test_a_purifier_is_refused_with_the_flag_that_accepts_it(program):
    quantised, bare = program(Quantised()), program(Lead())

    with pytest.raises(ValueError, match="If it purifies its input: --backward names it without the purifier"):
        probed(quantised)
    assert probed(quantised, backward=bare).accuracy == 1
    with pytest.raises(ValueError, match=r"--backward returns logits \(8, 3\), and the model \(8, 2\)"):
        probed(quantised, backward=nn.Sequential(nn.Flatten(), nn.Linear(3, 3)))


def test_draws_of_a_steady_model_are_called_useless(program):
    assert "so leave out --draws: it costs time, and detectors and margins are left out with it" in " ".join(
        probed(program(Lead()), draws=4).notes
    )


def test_the_study_attacks_the_expectation_and_plans_only_what_an_attack_can_follow(tmp_path):
    why = "attacks see another network than the one that predicts"
    model = ModelFacts(
        file="/m/noisy.pt2", digest="sha256:m", input_shape=(1, 8, 8), classes=2,
        mean=(0.0,), std=(1.0,), no_features=why, no_gradient_norms=why, width=0, seconds=0.001, draws=20,
        backward=ProgramFile("/m/bare.pt2", "sha256:b"),
    )  # fmt: skip
    images = ImageFacts("/m/pictures", "sha256:i", {"height": 8, "width": 8, "classes": ["a", "b"]}, {"fit": 60, "calibration": 40, "test": 100})  # fmt: skip
    facts = Facts("mine", "noisy.pt2 --data pictures", "touchstone assay noisy.pt2", model, images, (), 0.1, "1/10", "quick", "cpu", ())  # fmt: skip

    made, plain = study.write(facts), study.write(replace(facts, model=replace(model, draws=1, backward=None)))

    sections = yaml.safe_load(made.text)["change"]
    assert sections["classifiers"]["own_model"].items() >= {"draws": 20, "backward": "own_backward"}.items()
    assert (
        "Attacks follow the mean of 20 draws (EOT) and the gradient"
        in sections["evaluations"]["robustness"]["question"]
    )
    assert "odin" not in sections["detectors"] and "odin" in yaml.safe_load(plain.text)["change"]["detectors"]
    assert made.passes > 15 * plain.passes
    assert "brittle" not in sections["evaluations"] and "margins" not in sections
    assert {figure["evaluation"] for figure in sections["figures"].values()} <= sections["evaluations"].keys()
    assert sections["evaluations"]["attack_checks"]["random"] == ["own_model"]
    assert "random" not in yaml.safe_load(plain.text)["change"]["evaluations"]["attack_checks"]
    assert "Margins and brittle images are left out" in made.text
    assert "Margins and brittle images are left out" not in plain.text
    (tmp_path / "mine.yaml").write_text(re.sub(r"sha256:[mib]\b", f"sha256:{'0' * 64}", made.text))
    plan = Plan(load("mine.yaml", tmp_path))
    tasks = plan.tasks.values()
    drawn = {task.step for task in tasks if task.settings.get("draws") == 20}
    assert drawn == {"attack", "infer"}
    assert all("backward" in task.inputs for task in tasks if task.step == "attack")
