"""The training job of ensemble adversarial training: the static networks that it gets, refuses, and resumes with."""

from pathlib import Path

import pytest
import torch

from run_tasks import path, put, read, run_tasks
from touchstone.models.networks import checkpoints
from touchstone.models.softmax_regression import softmax_regression
from touchstone.pipeline.jobs import progress
from touchstone.pipeline.jobs.job_plan import JobError
from touchstone.pipeline.planning.parts import Task
from touchstone.pipeline.steps import train as training
from touchstone.provenance import sidecar_files
from touchstone.records.nouns import Checkpoint

SHAPE, SOFTMAX = (1, 4, 4), {"use": "models/softmax_regression"}


def write_network(file, seed, classes=3, shape=SHAPE):
    weights = checkpoints.weights_of(checkpoints.build(softmax_regression, shape, classes, (0.0,), (1.0,), seed))
    put(file, Checkpoint(weights, SOFTMAX, shape, classes, (0.0,), (1.0,)))


@pytest.fixture
def folder(twelve_images):
    """Twelve images to train on and to validate with, and two trained networks."""
    twelve_images(SHAPE)
    for seed in (1, 2):
        write_network(f"static.{seed}", seed)


def train(*static, output="trained", recompute=False, **changed):
    """Train against static networks with epochs 3, on images of a static network alone; return the Checkpoint."""
    component = {
        "use": "training/ensemble_adversarial",
        "attack": {"use": "attacks/fgsm", "eps": 0.3, "target": "none", "clip": True},
        "static_share": 1.0,
        "clean_weight": 0.5,
    }
    settings = {
        "component": component | changed, "architecture": SOFTMAX, "static_architectures": [SOFTMAX] * len(static),
        "seed": 0, "device": "cpu", "threads": 1, "loop": {"epochs": 3, "batch_size": 4, "learning_rate": 0.1},
    }  # fmt: skip
    inputs = {"train": "images", "validation": "images", "static_networks": list(static)}
    run_tasks(Task("train", inputs, made(output), settings), recompute=recompute)
    return read(made(output), "Checkpoint")


def made(name):
    return path(name, f"train/{name}.0")


def weights(checkpoint):
    return torch.cat([torch.from_numpy(values).flatten() for values in checkpoint.weights.values()])


def test_the_network_learns_from_the_static_networks_of_the_job_and_its_sidecar_names_them(folder):
    one, other = (weights(train(name, output=f"on_{name}")) for name in ("static.1", "static.2"))
    both = train("static.1", "static.2")

    assert not torch.equal(one, other) and not torch.equal(weights(both), one)
    record = sidecar_files.read_sidecar(Path(made("trained")))
    assert [link["file"] for link in record["inputs"]["static_networks"]] == ["static.1", "static.2"]
    assert {"static_share": 1.0}.items() <= record["settings"]["component"].items()


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"classes": 2}, r"^static.1: has 2 classes of images \(1, 4, 4\), but images has 3 of \(1, 4, 4\)"),
        ({"shape": (1, 5, 5)}, r"^static.1: has 3 classes of images \(1, 5, 5\), but images has 3 of \(1, 4, 4\)"),
    ],
)
def test_a_static_network_of_other_images_is_refused(folder, changed, told):
    write_network("static.1", 1, **changed)

    with pytest.raises(JobError, match=told):
        train("static.1")


def test_a_static_network_that_is_not_what_the_settings_say_is_refused(folder, monkeypatch):
    monkeypatch.setitem(SOFTMAX, "use", "models/logistic_regression")

    expected = r"^static.1: has the architecture .*softmax_regression.*, expected .*logistic_regression"
    with pytest.raises(JobError, match=expected):
        train("static.1")


def killed_after_an_epoch(monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        kept = progress.Unfinished.keep
        patch.setattr(progress.Unfinished, "keep", lambda self, state: (kept(self, state), killed()))
        with pytest.raises(KeyboardInterrupt):
            train("static.1")


@pytest.mark.parametrize(("seed", "resumed"), [(1, 1), (2, 0)])
def test_a_killed_training_goes_on_with_the_same_static_network_and_begins_anew_with_another(
    folder, monkeypatch, seed, resumed
):
    killed_after_an_epoch(monkeypatch)
    write_network("static.1", seed)
    restore, calls = training._restore, []
    monkeypatch.setattr(training, "_restore", lambda *given: calls.append(1) or restore(*given))

    train("static.1")

    train("static.1", output="undisturbed", recompute=True)
    assert Path(made("trained")).read_bytes() == Path(made("undisturbed")).read_bytes()
    assert len(calls) == resumed
