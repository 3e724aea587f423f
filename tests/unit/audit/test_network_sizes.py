"""Architectures that ask for more weights than their checkpoint holds: refused before they take memory."""

from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from planted_networks import write
from touchstone.audit import network_sizes
from touchstone.audit.recomputation import Recomputation
from touchstone.models import (
    densenet_bc,
    ensemble,
    logistic_regression,
    maxout,
    mlp,
    preact_resnet18,
    resnet18,
    resnet_generator,
    shallow_rbf,
    small_cnn,
    softmax_regression,
    standardising_wide_resnet,
    unet,
    wide_resnet,
)
from touchstone.models.networks import checkpoints
from touchstone.pipeline.jobs.job_plan import JobError
from touchstone.pipeline.planning.parts import Task
from touchstone.records.damage import DamagedFile
from touchstone.records.nouns import Checkpoint

COLOUR, MEAN, STD = (3, 16, 16), (0.0,) * 3, (1.0,) * 3
CLASSIFIERS = [
    partial(densenet_bc.densenet_bc, depth=10), logistic_regression.logistic_regression, maxout.maxout, mlp.mlp, small_cnn.small_cnn,
    shallow_rbf.shallow_rbf, softmax_regression.softmax_regression, preact_resnet18.preact_resnet18,
    resnet18.resnet18, partial(standardising_wide_resnet.standardising_wide_resnet, depth=10), partial(wide_resnet.wide_resnet, depth=10),
    partial(ensemble.ensemble, member=mlp.mlp),
]  # fmt: skip


def checkpoint(architecture, classes=2, block=None):
    model = checkpoints.build(architecture, COLOUR, classes, MEAN, STD)
    return Checkpoint(checkpoints.weights_of(model), block or {"use": "models/mlp"}, COLOUR, classes, MEAN, STD)


@pytest.mark.parametrize("architecture", CLASSIFIERS)
def test_every_classifier_is_as_large_as_its_own_checkpoint(architecture):
    network_sizes.check(architecture, checkpoint(architecture))


@pytest.mark.parametrize("architecture", [unet.unet, resnet_generator.resnet_generator])
def test_every_translator_is_as_large_as_its_own_checkpoint(architecture):
    network_sizes.check(architecture, checkpoint(architecture, classes=0))


@pytest.mark.parametrize(
    "architecture",
    [
        partial(mlp.mlp, hidden=[1_000_000, 1_000_000]),
        partial(wide_resnet.wide_resnet, width=1_000_000),
        partial(wide_resnet.wide_resnet, depth=999_994),
        partial(ensemble.ensemble, member=mlp.mlp, members=1_000_000),
    ],
)
def test_a_bomb_is_refused_from_its_shapes(architecture):
    with pytest.raises(DamagedFile, match=r"its architecture asks for [\d,]+ weights or more, the file holds 773"):
        network_sizes.check(architecture, checkpoint(partial(mlp.mlp, hidden=[1])))
    assert nn.Linear(10, 10).weight.device.type == "cpu"


def test_an_architecture_that_computes_with_its_numbers_is_left_to_the_check_of_its_weights():
    def reading(shape, classes):
        assert float(torch.ones(1)) == 1
        return mlp.mlp(shape, classes)

    network_sizes.check(reading, checkpoint(reading))


def test_a_verifier_builds_no_network_that_is_larger_than_the_packs_checkpoint(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    block = {"use": "models/mlp", "hidden": [1_000_000, 1_000_000]}
    write("net", checkpoint(partial(mlp.mlp, hidden=[1]), block=block))
    task = Task("infer", {"checkpoint": "net"}, "outputs", {"device": "cpu", "threads": 1, "architecture": block})
    reader = Recomputation(SimpleNamespace(tasks={}, files=[]), Path(), "cpu", {})

    with pytest.raises(JobError, match=r"^net: its architecture asks for"):
        reader.job(task).model()
