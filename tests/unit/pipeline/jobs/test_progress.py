"""The saved state of a training: what is read back, and what is ignored."""

import errno

import numpy as np
import pytest
import torch
from torch import nn

from touchstone.pipeline.jobs import progress
from touchstone.pipeline.jobs.progress import Resume
from touchstone.pipeline.steps.train import train
from touchstone.records.encoding import encode
from touchstone.records.nouns import ExampleSet
from touchstone.training.clean import clean

torch.set_num_threads(1)

STATE = {"epoch": np.array([2]), "model/weight": np.ones((100, 100), np.float32), "model/count": np.array(7)}


@pytest.fixture
def resume(tmp_path):
    state = Resume("data/study/checkpoints/cnn.0.safetensors", tmp_path, "sha256:one")
    state.keep(STATE)
    return state


def test_a_kept_state_is_read_back_until_it_is_done(resume):
    state = resume.read()

    assert state.keys() == STATE.keys()
    assert all(np.array_equal(state[name], STATE[name]) for name in STATE)
    resume.done()
    assert resume.read() is None


class Scaled(nn.Module):
    """A linear network with a learned temperature: a weight without dimensions."""

    def __init__(self, classes):
        super().__init__()
        self.temperature, self.linear = nn.Parameter(torch.ones(())), nn.Linear(4, classes)

    def forward(self, images):
        return self.linear(images.flatten(1)) / self.temperature


def scaled(input_shape, classes):
    return Scaled(classes)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_training_with_a_scalar_weight_goes_on_after_a_kill_with_the_same_bytes(resume, optimizer):
    images = np.random.default_rng(0).random((12, 1, 2, 2), dtype=np.float32)
    examples = ExampleSet(images, np.arange(12) % 3, np.arange(12), "random")
    settings = {"architecture": scaled, "architecture_settings": {"use": "scaled"}, "objective": clean, "epochs": 2}

    def kept_once(state):
        if state["epoch"] == 1:
            resume.keep(state)

    whole = train(examples, examples, keep=kept_once, optimizer=optimizer, **settings)

    resumed = train(examples, examples, resume=resume.read(), optimizer=optimizer, **settings)

    assert encode(resumed) == encode(whole)


def test_a_state_of_another_action_is_ignored(resume, tmp_path):
    assert Resume("data/study/checkpoints/cnn.0.safetensors", tmp_path, "sha256:other").read() is None


@pytest.mark.parametrize("place", [0, 8, 8192, -70, -10])
def test_a_damaged_state_is_ignored(resume, place):
    data = bytearray(resume.path.read_bytes())
    data[place] ^= 0xFF
    resume.path.write_bytes(data)

    assert resume.read() is None


def test_a_state_whose_middle_a_power_cut_left_as_zeros_is_ignored(resume):
    data = bytearray(resume.path.read_bytes())
    data[8192:12288] = bytes(4096)
    resume.path.write_bytes(data)

    assert resume.read() is None


@pytest.fixture
def full_disk(monkeypatch):
    def full(path, data, **_):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(progress.whole_files, "write_whole", full)


def test_a_job_whose_progress_cannot_be_written_goes_on_and_warns_once(tmp_path, full_disk, capsys):
    with progress.reported("data/study/checkpoints/cnn.0.safetensors", tmp_path) as report:
        report(1, 2)
        report(2, 2)

    (message,) = capsys.readouterr().err.splitlines()
    assert message.endswith("No space left on device. The job's progress is not shown.")


def test_a_training_whose_state_cannot_be_stored_goes_on(resume, full_disk, capsys):
    resume.keep(STATE)

    assert f"touchstone: {resume.path}: No space left on device. If the training is" in capsys.readouterr().err
