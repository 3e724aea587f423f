"""Planted defences that draw or purify fall to their analytic value in a study's jobs, and only by what they declare."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from planted_networks import WEIGHTS, plant
from run_tasks import path, put, read, run_tasks
from touchstone import plugins
from touchstone.pipeline.planning.parts import Task
from touchstone.records.nouns import Checkpoint, ExampleSet

N = 600
ATTACKED, OUTPUTS, CLEAN_OUTPUTS = map(path, ("attacked", "outputs", "clean_outputs"))
SIGNS = np.where(np.arange(N) % 2, 1, -1)
PLANTED = {
    # The sum of two pixels leads to the class; a random half of one standard deviation of it is left.
    "noisy": "self.slope * (sums(images) + 0.1 * torch.randn(len(images)))",
    # One pixel per head, and a random head answers.
    "random_head": "self.slope * (images - 0.5).flatten(1).gather(1, torch.randint(3, (len(images), 1)))[:, 0]",
    "bare": "self.slope * sums(images)",
    "quantised": "self.slope * sums((images * 4).round() / 4)",
}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The planted defences as components, in a working folder."""
    monkeypatch.chdir(tmp_path)
    torch.set_num_threads(1)
    plant(PLANTED)
    plugins.use([tmp_path / "plugins"])
    yield
    plugins.use([])


def left(defence, leads, *, eps, draws=1, backward=""):
    """Return the accuracies on clean images and under the attack, as a job of a study measures them.

    leads: by how much each pixel leads to the class, in levels of 255.
    """
    levels = 128 + SIGNS[:, None] * np.array(leads)
    shape = (1, 1, len(leads))
    images = (levels / 255).astype(np.float32).reshape(N, *shape)
    put("images", ExampleSet(images, (SIGNS > 0).astype(np.int64), np.arange(N), "planted", {}, None))
    for name in filter(None, (defence, backward)):
        put(name, Checkpoint(WEIGHTS, {"use": f"models/{name}"}, shape, 2, (0.0,), (1.0,)))
    suite = {"use": "attacks/attack_suite", "eps": eps, "restarts": 1, "queries": 10}
    attack = {"use": "attacks/highest_loss", "attacks": [suite, {"use": "attacks/pgd", "eps": eps, "steps": 20}]}
    shared = {"architecture": {"use": f"models/{defence}"}, "seed": 0, "batch_size": 200, "device": "cpu", "threads": 1}
    shared |= {"draws": draws} if draws > 1 else {}
    inputs = {"checkpoint": defence, "examples": "images"}
    more = {"backward_architecture": {"use": f"models/{backward}"}} if backward else {}
    stand_in = {"backward": backward} if backward else {}
    run_tasks(
        Task("attack", inputs | stand_in, ATTACKED, shared | more | {"component": attack}),
        *(
            Task("infer", inputs | {"examples": examples}, file, shared | {"confounding": {}})
            for examples, file in (("images", CLEAN_OUTPUTS), (ATTACKED, OUTPUTS))
        ),
        recompute=True,
    )
    outputs = [read(file, "Outputs") for file in (CLEAN_OUTPUTS, OUTPUTS)]
    return tuple(float((one.predictions == one.labels).mean()) for one in outputs)


def test_noise_on_the_input_leaves_what_the_normal_distribution_says():
    clean, robust = left("noisy", (38, 38), eps=25 / 255, draws=16)

    share = 0.5 * (1 + math.erf(2 * 13.5 / 255 / 0.1 / math.sqrt(2)))  # 0.5 is half a level below the images' middle
    assert robust == pytest.approx(share, abs=4 * math.sqrt(share * (1 - share) / N))
    assert clean > 0.98


def test_a_random_choice_of_heads_leaves_the_share_that_the_budget_does_not_reach():
    _, robust = left("random_head", (13, 51, 51), eps=26 / 255, draws=16)

    assert robust == pytest.approx(2 / 3, abs=4 * math.sqrt(2 / 9 / N))


def test_a_purifier_without_a_gradient_falls_through_its_stand_in_and_only_then():
    leads = (38,) * 8

    _, plain = left("quantised", leads, eps=77 / 255)

    assert plain > 0.2
    assert left("quantised", leads, eps=77 / 255, backward="bare") == (1, 0)


def test_an_attack_of_no_size_changes_no_prediction_and_a_second_run_no_byte():
    clean, same = left("random_head", (13, -51, 51), eps=0.0, draws=4)
    first = Path(OUTPUTS).read_bytes()

    assert clean == same < 0.8
    left("random_head", (13, -51, 51), eps=0.0, draws=4)
    assert Path(OUTPUTS).read_bytes() == first
