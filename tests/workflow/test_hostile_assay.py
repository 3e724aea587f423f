"""`touchstone assay` on files of an attacker: a sentence with the file's name, exit code 1, no traceback, nothing written."""

import runpy
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from touchstone.__main__ import main

ROOT = Path(__file__).parents[2]
h = SimpleNamespace(**runpy.run_path(str(ROOT / "tests/hostile_files.py")))


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


def script(path):
    torch.jit.save(torch.jit.trace(nn.Sequential(nn.Flatten(), nn.Linear(144, 3)), torch.rand(2, *h.SHAPE)), path)


def of_nodes(*nodes):
    return lambda path: h.program(path, *nodes)


ATTACKS = {
    "code.pt2": (
        of_nodes(
            h.node("aten.__getattr__.__getattribute__", h.words("__globals__"), out="globals"),
            h.node("torch.sym_max", {"as_strings": ["open('sprung', 'w')", "0"]}, key=h.tensor("globals"), out=h.SIZE),
        ),
        "which touchstone does not run",
    ),
    "file.pt2": (of_nodes(h.node("aten.from_file.default", h.words("sprung"))), "aten.from_file.default, which"),
    "memory.pt2": (of_nodes(h.node("aten.zeros.default", h.wholes(10**6, 10**6))), "aten.zeros.default makes 3,725"),
    "shape.pt2": (of_nodes(h.node("aten.reshape.default", h.tensor("x"), h.wholes(7))), "does not take your images"),
    "deep.pt2": (lambda path: h.program(path, raw="[" * 10**6), "not a whole torch.export program"),
    "letters.pt2": (of_nodes(h.node("aten.\x1b]0;owned\x07.default")), "which touchstone does not run"),
    "script.pt": (script, "TorchScript can read and write all that you can"),
    "zip.pt": (lambda path: path.write_bytes(b"PK\5\6" + b"\xff" * 18), "not a whole zip archive"),
    "text.pt": (lambda path: path.write_text("import os"), "is no file of torch.save; export it instead"),
    "noise.onnx": (lambda path: path.write_bytes(b"\xff" * 100), "not a whole ONNX file"),
    "noise.safetensors": (lambda path: path.write_bytes(b"\xff" * 100), "not a whole safetensors file"),
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


def test_torchscript_runs_with_trust_and_is_trusted_from_then_on(project, capfd):
    script(project / "script.pt")
    command = ["assay", "script.pt", "--data", "images.npz", "--quick", "--dry-run", "--out", "mine.yaml"]

    assert [main(command), main([*command, "--trust-code"]), main([*command[:-1], "other.yaml"])] == [1, 0, 0]

    assert "runs its own code, as you trusted it to" in capfd.readouterr().out
