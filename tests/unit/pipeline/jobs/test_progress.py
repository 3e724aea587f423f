"""The saved state of a training: what is read back, and what is ignored."""

import errno

import numpy as np
import pytest
import torch
from torch import nn

from touchstone.pipeline.jobs import progress
from touchstone.pipeline.jobs.progress import Unfinished
from touchstone.pipeline.steps.train import train
from touchstone.records.encoding import encode
from touchstone.records.nouns import ExampleSet
from touchstone.training.clean import clean

torch.set_num_threads(1)

STATE = {"epoch": np.array([2]), "model/weight": np.ones((100, 100), np.float32), "model/count": np.array(7)}


@pytest.fixture
def unfinished(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    state = Unfinished("one", "avx2")
    state.keep(STATE)
    return state


def test_a_kept_state_is_read_back_until_it_is_done(unfinished):
    state = unfinished.read()

    assert state.keys() == STATE.keys()
    assert all(np.array_equal(state[name], STATE[name]) for name in STATE)
    unfinished.done()
    assert unfinished.read() is None


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
def test_a_training_with_a_scalar_weight_goes_on_after_a_kill_with_the_same_bytes(unfinished, optimizer):
    images = np.random.default_rng(0).random((12, 1, 2, 2), dtype=np.float32)
    examples = ExampleSet(images, np.arange(12) % 3, np.arange(12), "random")
    settings = {"architecture": scaled, "architecture_settings": {"use": "scaled"}, "objective": clean, "epochs": 2}

    def kept_once(state):
        if state["epoch"] == 1:
            unfinished.keep(state)

    whole = train(examples, examples, keep=kept_once, optimizer=optimizer, **settings)

    resumed = train(examples, examples, resume=unfinished.read(), optimizer=optimizer, **settings)

    assert encode(resumed) == encode(whole)


def test_a_state_of_another_kind_of_processor_is_ignored(unfinished):
    assert Unfinished("one", "avx2").read() is not None
    assert Unfinished("one", "default").read() is None


def test_a_state_of_another_task_is_ignored_even_under_its_name(unfinished):
    other = Unfinished("other", "avx2")
    unfinished.path.rename(other.path)

    assert other.read() is None


@pytest.mark.parametrize("place", [0, 8, 8192, -70, -10])
def test_a_damaged_state_is_ignored(unfinished, place):
    data = bytearray(unfinished.path.read_bytes())
    data[place] ^= 0xFF
    unfinished.path.write_bytes(data)

    assert unfinished.read() is None


def test_a_state_whose_middle_a_power_cut_left_as_zeros_is_ignored(unfinished):
    data = bytearray(unfinished.path.read_bytes())
    data[8192:12288] = bytes(4096)
    unfinished.path.write_bytes(data)

    assert unfinished.read() is None


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


def test_a_training_whose_state_cannot_be_stored_goes_on(unfinished, full_disk, capsys):
    unfinished.keep(STATE)

    assert f"touchstone: {unfinished.path}: No space left on device. If the training is" in capsys.readouterr().err
