"""Models as they are opened: what can run code needs trust, and options that one of a kind would ignore are refused."""

import math
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from touchstone.assay import user_models

NETWORK = """
from pathlib import Path
from torch import nn

def build():
    Path("sprung").touch()
    return nn.Sequential(nn.Flatten(), nn.Linear(192, 3))
"""


def exported(path, network, shape=(3, 8, 8)):
    count = ({0: torch.export.Dim("images", min=1)},)
    torch.export.save(torch.export.export(network.eval(), (torch.rand(2, *shape),), dynamic_shapes=count), path)


class Library(ModuleType):
    """Stands for onnx2torch, which is not installed with touchstone; it counts what it converts."""

    def __init__(self):
        super().__init__("onnx2torch")
        self.converted = []

    def convert(self, path):
        self.converted.append(path)
        if path.read_bytes() != b"onnx":
            raise NotImplementedError("Converter is not implemented (Gamma)\nsecond line")
        return nn.Sequential(nn.Flatten(), nn.Linear(192, 3)).train()


@pytest.fixture
def library(monkeypatch):
    library = Library()
    monkeypatch.setitem(sys.modules, "onnx2torch", library)
    return library


@pytest.fixture
def files(tmp_path, monkeypatch, library):
    """A file of each kind, in the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "springs", raising=False)
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(192, 3))
    exported("model.pt2", network)
    torch.jit.save(torch.jit.trace(network, torch.rand(2, 3, 8, 8)), "script.pt")
    save_file(network.state_dict(), "weights.safetensors")
    torch.save(network.state_dict(), "state.pt")
    torch.save(network, "pickle.pt")
    Path("model.onnx").write_bytes(b"onnx")
    Path("springs.py").write_text(NETWORK)
    return network


CAN_RUN_CODE = {
    "model.pt2": {},
    "script.pt": {},
    "model.onnx": {},
    "weights.safetensors": {"architecture": "springs:build"},
    "state.pt": {"architecture": "springs:build"},
}


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("model", CAN_RUN_CODE)
def test_what_can_run_code_is_opened_only_if_the_user_trusts_it(model, monkeypatch, library):
    opened = []
    with monkeypatch.context() as patch:
        for name in ("_load_export", "_load_script"):
            patch.setattr(f"touchstone.models.networks.programs.{name}", lambda *given, **more: opened.append(given))
        with pytest.raises(ValueError, match=r"can run any code of whoever made it.* add --trust-code\. .* container"):
            user_models.open_model(model, **CAN_RUN_CODE[model])
    assert not Path("sprung").exists() and not opened and not library.converted

    trusted = user_models.open_model(model, **CAN_RUN_CODE[model], trust_code=True)
    assert trusted.file == Path(model) or trusted.network(torch.rand(2, 3, 8, 8)).shape == (2, 3)
    assert trusted.file or not trusted.network.training


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("trust_code", [False, True])
def test_a_pickled_network_is_refused_with_what_to_save_instead(trust_code):
    with pytest.raises(ValueError, match=r"pickle\.pt contains code .*model\.state_dict\(\).*--architec"):
        user_models.open_model("pickle.pt", trust_code=trust_code)


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(
    ("model", "option"),
    [
        *((name, "architecture") for name in ("model.onnx", "model.pt2", "script.pt", "resnet18")),
        *((name, "key") for name in ("model.onnx", "model.pt2", "script.pt")),
        *((name, "weights") for name in ("model.onnx", "model.pt2", "script.pt", "state.pt")),
    ],
)
def test_an_option_that_the_model_does_not_use_is_refused(model, option):
    with pytest.raises(ValueError, match=f"--{option} other: is only for a .*, and {model} is not one; omit it"):
        user_models.open_model(model, **{option: "other"}, trust_code=True)


@pytest.mark.usefixtures("files")
def test_an_onnx_file_that_cannot_be_converted_ends_in_the_way_out():
    Path("model.onnx").write_bytes(b"other")

    with pytest.raises(
        ValueError, match=r"cannot convert it \(Converter is not implemented \(Gamma\)\)\. Export the mod"
    ):
        user_models.open_model("model.onnx", trust_code=True)


@pytest.mark.usefixtures("files")
def test_an_onnx_file_without_its_library_ends_in_both_ways_out(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx2torch", None)

    with pytest.raises(ValueError, match=r"needs the package onnx2torch, .*: pip install onnx2torch\. .*torch\.export"):
        user_models.open_model("model.onnx", trust_code=True)


@pytest.mark.parametrize(
    ("made_for", "stated"), [((1, 8, 8), "1 x 8 x 8"), ((3, 10, 8), "3 x 10 x 8"), ((8, 8, 3), "8 x 8 x 3")]
)
def test_images_of_another_shape_than_the_program_was_made_for_are_refused(tmp_path, made_for, stated):
    exported(tmp_path / "m.pt2", nn.Sequential(nn.Flatten(), nn.Linear(math.prod(made_for), 3)), made_for)
    model = user_models.open_model(str(tmp_path / "m.pt2"), trust_code=True)

    with pytest.raises(
        ValueError, match=rf"m\.pt2: was made for images of {stated} .*, and yours are 3 x 8 x 8\. --res"
    ):
        model.program((3, 8, 8))
    assert model.program(made_for)(torch.rand(2, *made_for)).shape == (2, 3)
