"""Attacks of torchattacks and detectors of pytorch-ood as plugins: they keep the contract that ours keep, or say why not."""

import os
import re
import sys
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn

from forks import in_fork
from touchstone import plugins, registry, third_party
from touchstone.__main__ import main
from touchstone.numerics.tensors import RandomStreams, row_norms
from touchstone.statistics.declared_budgets import single

pytest.importorskip("torchattacks")
pytest.importorskip("pytorch_ood")
ROOT = Path(__file__).parents[2]
ATTACKS = ("FGSM", "PGD", "DeepFool")
DETECTORS = ("MaxLogit", "EnergyBased", "MaxSoftmax", "Entropy", "GMM", "TemperatureScaling")


@pytest.fixture
def folder(tmp_path):
    yield tmp_path
    plugins.use([])


def new(folder, kind, origin):
    name = "their_" + origin.partition(".")[2].lower()
    assert main(["new", kind, name, "--from", origin, "--folder", str(folder)]) == 0
    return name


@pytest.mark.parametrize(
    ("kind", "library", "classes"), [("attack", "torchattacks", ATTACKS), ("detector", "pytorch_ood", DETECTORS)]
)
def test_they_keep_the_contract(folder, kind, library, classes):
    for name in classes:
        new(folder, kind, f"{library}.{name}")
    command = [
        sys.executable,
        "-m",
        "pytest",
        f"tests/properties/test_{kind}s.py",
        "-k",
        "their_",
        "-p",
        "no:cacheprovider",
    ]
    environment = os.environ | {"TOUCHSTONE_PLUGINS": str(folder), "PYTHONPATH": str(ROOT / "src")}

    done = in_fork(command, cwd=ROOT, env=environment, text=True)

    assert done.returncode == 0, done.stdout[-3000:]


def test_the_settings_of_their_class_are_the_settings_of_the_component(folder):
    new(folder, "attack", "torchattacks.PGD")
    plugins.use([folder])

    settings = registry.component("attacks", "their_pgd").settings

    assert {name: (str(each.type), each.default) for name, each in settings.items()} == {
        "eps": ("float", pytest.approx(8 / 255)),
        "alpha": ("float", pytest.approx(2 / 255)),
        "steps": ("int", 10),
        "random_start": ("bool", True),
    }


def test_the_norm_is_the_word_that_touchstone_reads_and_the_class_gets_its_own(folder):
    import torchattacks

    name, model = new(folder, "attack", "torchattacks.APGD"), nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
    plugins.use([folder])
    images, labels = torch.full((2, 1, 4, 4), 0.5), torch.tensor([0, 1])
    streams = RandomStreams(0, "attack", torch.arange(2))

    norm = registry.component("attacks", name).settings["norm"]
    for ours, theirs in (("linf", "Linf"), ("l2", "L2")):
        attacked = registry.load(f"attacks/{name}")(model, images, labels, streams, eps=0.3, norm=ours)
        expected = torchattacks.APGD(model, norm=theirs, eps=0.3)(images, labels)
        torch.testing.assert_close(row_norms(attacked - images, ours), row_norms(expected - images, ours))

    assert (str(norm.type), norm.default) == ("linf or l2", "linf")


def test_an_attack_within_an_l2_ball_declares_its_norm(folder):
    name = new(folder, "attack", "torchattacks.PGDL2")
    plugins.use([folder])
    defaults = {key: each.default for key, each in registry.component("attacks", name).settings.items()}
    images, labels = torch.full((2, 1, 4, 4), 0.5), torch.tensor([0, 1])
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))

    attacked = registry.load(f"attacks/{name}")(
        model, images, labels, RandomStreams(0, "attack", torch.arange(2)), eps=0.3
    )

    assert single(defaults) == ("l2", 1.0)
    assert row_norms(attacked - images, "l2").max() <= 0.3 + 1e-6


def test_it_gives_what_their_class_gives(folder):
    import torchattacks
    from pytorch_ood.detector import GMM, EnergyBased

    for kind, origin in (
        ("attack", "torchattacks.BIM"),
        ("detector", "pytorch_ood.EnergyBased"),
        ("detector", "pytorch_ood.GMM"),
    ):
        new(folder, kind, origin)
    plugins.use([folder])
    draw = partial(torch.randn, generator=torch.Generator().manual_seed(0))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
    images, labels = draw(6, 1, 4, 4).sigmoid(), torch.arange(6) % 3
    logits, features = draw(5, 3), draw(30, 2)

    made = registry.load("attacks/their_bim")(
        model, images, labels, RandomStreams(0, "attack", torch.arange(6)), eps=0.1
    )
    energy = registry.load("detectors/their_energybased")(logits, t=2.0)
    state = registry.load_fit("detectors/their_gmm")(features, torch.arange(30) % 3)
    density = registry.load("detectors/their_gmm")(features[:4], state)

    torch.testing.assert_close(made, torchattacks.BIM(model, eps=0.1)(images, labels))
    torch.testing.assert_close(energy, EnergyBased(None, t=2.0).predict_logits(logits))
    expected = GMM(None).fit_features(features, torch.arange(30) % 3).predict_features(features[:4])
    torch.testing.assert_close(density.double(), expected, rtol=1e-4, atol=1e-4)


MISTAKES = {
    ("attack", "torchattacks.PDG"): "Did you mean PGD?",
    ("attack", "pytorch_ood.MaxLogit"): "attacks come from torchattacks",
    ("attack", "torchattacks.MultiAttack"): "it needs attacks, which touchstone cannot give it",
    ("detector", "pytorch_ood.ODIN"): "it reads the network itself",
    ("detector", "pytorch_ood.ViM"): "it needs d, which touchstone cannot give it",
}


@pytest.mark.parametrize(("kind", "origin"), MISTAKES)
def test_a_class_that_cannot_be_used_is_told(tmp_path, capsys, kind, origin):
    assert main(["new", kind, "theirs", "--from", origin, "--folder", str(tmp_path)]) == 1

    assert MISTAKES[kind, origin] in capsys.readouterr().err
    assert not list(tmp_path.rglob("*.py"))


def test_a_fit_that_could_only_be_pickled_is_refused(folder):
    new(folder, "detector", "pytorch_ood.KNN")
    plugins.use([folder])

    with pytest.raises(ValueError, match="NearestNeighbors and not a tensor"):
        registry.load_fit("detectors/their_knn")(torch.rand(60, 2), torch.arange(60) % 3)


def test_another_version_or_none_is_refused(folder, monkeypatch):
    path = folder / "attacks" / f"{new(folder, 'attack', 'torchattacks.FGSM')}.py"
    found = re.search(r'"FGSM",\s*"(.*?)"', path.read_text())
    with pytest.raises(
        ValueError, match=rf"needs torchattacks 0\.1, but {re.escape(found[1])} is installed: .venv/bin/pip install"
    ):
        third_party.library("torchattacks", "0.1")

    monkeypatch.setattr(third_party, "version", missing)
    with pytest.raises(ValueError, match=r"torchattacks is not installed: \.venv/bin/pip install --no-deps"):
        third_party.library("torchattacks", found[1])


def missing(package):
    raise third_party.PackageNotFoundError(package)
