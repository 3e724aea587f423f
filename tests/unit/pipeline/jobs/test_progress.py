"""The saved state of a training: what is read back, and what is ignored."""

import numpy as np
import pytest

from touchstone.pipeline.jobs.progress import Resume

STATE = {"epoch": np.array([2]), "model/weight": np.ones((100, 100), np.float32), "model/count": np.array(7)}


@pytest.fixture
def resume(tmp_path):
    state = Resume("data/study/checkpoints/cnn.0.safetensors", tmp_path, "sha256:one")
    state.keep(STATE)
    return state


def test_a_kept_state_is_read_back_until_it_is_done(resume):
    state = resume.read()

    assert state.keys() == STATE.keys()
    assert all(np.array_equal(state[name].reshape(STATE[name].shape), STATE[name]) for name in STATE)
    resume.done()
    assert resume.read() is None


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
