"""Two jobs that train the same network under two names: the second one takes what the first has made."""

from types import SimpleNamespace

import pytest

from touchstone.pipeline.jobs import adapters
from touchstone.pipeline.steps import train

BLOCK = {"use": "training/clean"}


def job(folder, recompute):
    settings = {"component": BLOCK, "architecture": {"use": "models/mlp"}, "device": "cpu", "seed": 0, "loop": {}}
    found = SimpleNamespace(key=lambda task: "one", find=lambda task: True)
    return SimpleNamespace(
        settings=settings, artefacts=found, task=SimpleNamespace(output="b.safetensors"), logs=folder, recompute=recompute,
        noun=lambda *_: None, nouns=lambda *_: [], model=lambda *_: None, write=lambda noun: None,
    )  # fmt: skip


@pytest.mark.parametrize(("recompute", "trained"), [(False, []), (True, ["trained"])])
def test_a_network_that_another_job_has_trained_meanwhile_is_not_trained_again(
    tmp_path, monkeypatch, recompute, trained
):
    done = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(train, "train", lambda *_, **__: done.append("trained"))

    adapters.run_train(job(tmp_path, recompute))

    assert done == trained
