"""How long an assay in this process says that it takes."""

import re

import pytest
import torch

from touchstone.assay import direct_cost

IMAGES, LABELS = torch.linspace(0, 1, 40).view(40, 1, 1, 1), torch.arange(40) // 20
SETTINGS = {"eps": 0.1, "steps": 20, "queries": 300, "restarts": 5, "batch_size": 40}


def lead(sharpness):
    return lambda images: torch.stack([-sharpness(images), sharpness(images)], 1)


resists = lead(lambda images: images.flatten(1).mean(1) - 0.5)  # but for the fifth of the images near 0.5
falls = lead(lambda images: 0.5 - images.flatten(1).mean(1))  # wrong without an attack, too


@pytest.fixture
def minutes(monkeypatch, capsys):
    monkeypatch.setattr(direct_cost, "_seconds", lambda *_: 1.0)

    def of(*models, **changed):
        direct_cost.announce(list(models), IMAGES, LABELS, SETTINGS | changed)
        return int(re.fullmatch(r"40 images are attacked, about (\d+) min\.\n", capsys.readouterr().out)[1])

    return of


def test_a_model_that_falls_at_once_takes_less_than_one_that_resists(minutes):
    assert minutes(falls) < minutes(resists) / 4


def test_more_queries_and_draws_take_longer(minutes):
    assert minutes(resists) < minutes(resists, queries=3000)
    assert minutes(resists, draws=10) == pytest.approx(10 * minutes(resists), abs=10)


def test_two_models_take_the_sum_of_both_without_the_searches_of_a_defence(minutes):
    assert minutes(falls, falls) < minutes(resists, falls) < minutes(resists, resists) < 2 * minutes(resists)
