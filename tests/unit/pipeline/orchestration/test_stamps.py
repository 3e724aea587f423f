"""The stamp of a finished study, on machines that are made up: with and without a GPU's driver."""

import time
from pathlib import Path

import pytest

from sheet_study import STUDY
from touchstone.numerics import devices
from touchstone.pipeline.orchestration import freshness, stamps
from touchstone.pipeline.planning.plan import Plan
from touchstone.pipeline.settings.study import load


@pytest.fixture
def stamped(tmp_path, monkeypatch):
    """A study with `device: auto` that was finished on a machine without a GPU."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(devices.VARIABLE, "cpu")  # what planning sets; restored after the test
    monkeypatch.setattr(devices, "DRIVER", tmp_path / "nvidiactl")
    monkeypatch.setattr(stamps, "STARTED", time.time_ns() + 10**9)
    monkeypatch.setattr(freshness, "vouched", lambda study: True)
    Path("pets").mkdir()
    own = "examples:\n  pets: {use: own_images, source: mine, height: 8, width: 8}"
    Path("sheet.yaml").write_text(
        STUDY.replace("device: cpu", "device: auto")
        .replace("sources:", "sources:\n  mine: {use: own_files, location: pets, sha256: null}")
        .replace("examples:\n", own + "\n")
        .replace("[tested, ", "[pets, tested, ")
    )
    stamps.Stamp(Plan(load("sheet.yaml")), "sheet.yaml", "2").write()
    monkeypatch.delenv(devices.VARIABLE)
    return tmp_path


def test_a_gpu_that_was_added_changes_the_device_of_a_finished_study(stamped):
    assert stamps.unchanged("sheet.yaml", "2") == "sheet"

    devices.DRIVER.touch()

    assert stamps.unchanged("sheet.yaml", "2") is None


def test_a_picture_that_was_added_to_the_folder_of_a_source_is_noticed(stamped):
    assert stamps.unchanged("sheet.yaml", "2") == "sheet"

    Path("pets/1.png").touch()

    assert stamps.unchanged("sheet.yaml", "2") is None


def test_the_environment_can_name_the_device_of_a_finished_study(stamped, monkeypatch):
    monkeypatch.setenv(devices.VARIABLE, "cuda")

    assert stamps.unchanged("sheet.yaml", "2") is None
