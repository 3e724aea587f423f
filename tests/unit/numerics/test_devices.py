"""The device of a study, on machines that are made up: with and without a GPU's driver, a torch that can use it, MPS."""

import pytest
import torch

from touchstone.numerics import devices
from touchstone.pipeline.jobs import environment, gpus
from touchstone.pipeline.jobs.job_plan import JobError


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A function that makes this machine one with or without a GPU; the environment names no device."""
    monkeypatch.delenv(devices.VARIABLE, raising=False)

    def make(driver):
        place = tmp_path if driver else tmp_path / "none"
        monkeypatch.setattr(devices, "DRIVER", place)
        monkeypatch.setattr(devices, "GPUS", (place,))

    yield make
    monkeypatch.delenv(devices.VARIABLE, raising=False)


@pytest.mark.parametrize(("driver", "auto"), [(True, "cuda"), (False, "cpu")])
def test_auto_is_what_the_machine_has_and_what_is_written_stays(machine, driver, auto):
    machine(driver)

    assert [devices.chosen(device) for device in ("auto", "cpu", "cuda")] == [auto, "cpu", "cuda"]
    machine(not driver)
    assert devices.chosen("auto") == auto  # the jobs of a run follow the machine that planned it


def test_only_cuda_without_a_driver_is_missing_and_warned_of(machine):
    machine(False)
    assert [devices.missing(device) for device in ("cpu", "cuda")] == [False, True]
    assert "this machine has no GPU" in devices.warning("cuda")
    machine(True)
    assert devices.warning("cuda") == ""


def test_a_job_for_a_gpu_that_torch_cannot_use_says_what_to_set(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(gpus, "claim", lambda: None)

    with pytest.raises(JobError, match=r"compute\.device is cuda, but torch finds no GPU here; set it to cpu"):
        environment.set_up_torch({"device": "cuda", "threads": 1})
