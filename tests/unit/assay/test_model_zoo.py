"""Networks of RobustBench by name: its own package makes them, and their published figures are known without it."""

import sys
from types import ModuleType

import pytest
import torch
from torch import nn

from touchstone.assay import model_zoo, user_models
from typed_words import assay_arguments


@pytest.fixture
def package(monkeypatch):
    """Stands for RobustBench's package, which is not installed with touchstone; returns what it was asked for."""
    asked = []

    def load_model(model_name, model_dir="./models", dataset="cifar10", threat_model="Linf"):
        asked.append((dataset, threat_model, model_name))
        if model_name == "Ding2020MMA":
            raise KeyError("fc.weight")
        return nn.Sequential(nn.Flatten(), nn.Linear(48, 10)).train()

    package, utils = ModuleType("robustbench"), ModuleType("robustbench.utils")
    package.utils, utils.load_model = utils, load_model
    monkeypatch.setitem(sys.modules, "robustbench", package)
    monkeypatch.setitem(sys.modules, "robustbench.utils", utils)
    return asked


def test_a_network_comes_from_the_package_and_its_figures_from_the_table(package):
    model = user_models.open_model("robustbench:Carmon2019Unlabeled")

    assert package == [("cifar10", "Linf", "Carmon2019Unlabeled")]
    assert not model.network.training and model.network(torch.rand(2, 3, 4, 4)).shape == (2, 10)
    assert "89.69 % on clean images, 59.53 % under attack, linf eps 8/255, by AutoAttack" in model.notes[0]
    assert model.published.radius == pytest.approx(8 / 255)


def test_a_network_that_the_package_cannot_load_is_named(package):
    with pytest.raises(
        ValueError,
        match=r"robustbench:cifar10/L2/Ding2020MMA: RobustBench cannot load it \('fc\.weight'.*models/cifar10/L2/Ding20",
    ):
        user_models.open_model("robustbench:cifar10/L2/Ding2020MMA")


def test_without_the_package_the_line_that_installs_it_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "robustbench", None)
    monkeypatch.setitem(sys.modules, "robustbench.utils", None)

    with pytest.raises(ValueError, match=r"needs the package robustbench.*, which is not installed: pip install git\+"):
        user_models.open_model("robustbench:Carmon2019Unlabeled")


def test_every_entry_is_whole():
    table = model_zoo.table()

    assert len(table) >= 150
    for name, figures in table.items():
        assert name.split("/")[0] in ("cifar10", "cifar100", "imagenet") and name.split("/")[1] in ("Linf", "L2")
        assert figures.keys() == {"eps", "clean", "robust", "by"} and figures["by"] in ("AutoAttack", "external"), name
        assert 0 <= figures["robust"] < figures["clean"] < 100, name
        assert 0 < model_zoo.published(name).radius <= 0.5


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Carmon2019Unlabelled", r"Did you mean Carmon2019Unlabeled\?"),
        ("Standard", "write robustbench:cifar10/Linf/Standard for the first"),
    ],
)
def test_a_name_that_is_unknown_or_ambiguous_is_answered_with_one_that_is_not(name, expected):
    with pytest.raises(ValueError, match=expected):
        user_models.open_model(f"robustbench:{name}")


@pytest.mark.parametrize(
    ("name", "eps"), [("imagenet/Linf/Salman2020Do_R18", "4/255"), ("cifar10/L2/Ding2020MMA", "8/255")]
)
def test_the_budget_is_the_published_one_if_it_is_linf(tmp_path, name, eps):
    assert assay_arguments(f"robustbench:{name}", "--data", str(tmp_path)).eps_written == eps
