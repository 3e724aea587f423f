"""`touchstone assay` on files of an attacker: a sentence with the file's name, exit code 1, no traceback, nothing written."""

import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from touchstone.__main__ import main

ROOT = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder like a clone, with images."""
    for name in ("params.yaml", "requirements.lock", "Snakefile"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "workflow/studies").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    levels = np.random.default_rng(0).integers(0, 256, (60, 12, 12), np.uint8)
    np.savez("images.npz", images=levels, labels=np.arange(60) % 3)
    return tmp_path


class Trap:
    def __reduce__(self):
        return (Path.touch, (Path("sprung"),))


def network():
    return nn.Sequential(nn.Flatten(), nn.Linear(144, 3)).eval()


def script(path):
    torch.jit.save(torch.jit.trace(network(), torch.rand(2, 1, 12, 12)), path)


def program(path):
    torch.export.save(torch.export.export(network(), (torch.rand(2, 1, 12, 12),)), path)


ATTACKS = {
    "code.pt2": (program, "opening a program can run any code"),
    "script.pt": (script, "opening a program can run any code"),
    "model.onnx": (lambda path: path.write_bytes(b"\xff" * 100), "converting an ONNX file can run any code"),
    "pickle.pt": (
        lambda path: path.write_bytes(pickle.dumps(Trap())),
        "contains code, not only weights; it was not run",
    ),
    "saved.pt": (lambda path: torch.save({"weight": Trap()}, path), "contains code (getattr), not only weights"),
    "zip.pt": (lambda path: path.write_bytes(b"PK\5\6" + b"\xff" * 18), "is no file of torch.save"),
    "text.pt": (lambda path: path.write_text("import os"), "is no file of torch.save"),
    "noise.safetensors": (lambda path: path.write_bytes(b"\xff" * 100), "is no safetensors file"),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_a_hostile_file_ends_an_assay_with_a_sentence(project, capfd, name):
    forge, words = ATTACKS[name]
    forge(project / name)

    assert main(["assay", name, "--data", "images.npz", "--quick", "--dry-run"]) == 1

    message = capfd.readouterr().err
    assert words in message and name in message
    assert "Traceback" not in message and "touchstone: " in message
    assert not list(Path("workflow/studies").iterdir())
    assert not Path("sprung").exists()


@pytest.mark.parametrize("name", ["torn.pt2", "four.pt2"])
def test_a_trusted_file_that_cannot_be_used_is_named_too(project, capfd, name):
    program(project / name)
    if name == "torn.pt2":
        (project / name).write_bytes((project / name).read_bytes().replace(b'"schema_version"', b'"schema_versiom"'))

    assert main(["assay", name, "--trust-code", "--data", "images.npz", "--quick", "--dry-run"]) == 1

    message = capfd.readouterr().err
    assert f"touchstone: {name}: " in message and "Traceback" not in message
    assert not list(Path("workflow/studies").iterdir())


def test_trust_is_given_each_time_and_is_written_into_the_study(project, capfd):
    script(project / "script.pt")
    command = ["assay", "script.pt", "--data", "images.npz", "--quick", "--dry-run", "--out", "mine.yaml"]

    assert [main(command), main([*command, "--trust-code"]), main(command)] == [1, 0, 1]

    assert "can run its own code, as you trusted it to" in capfd.readouterr().out
    assert "model: {use: program_file, trust_code: true}" in Path("mine.yaml").read_text()
