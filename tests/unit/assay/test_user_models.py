"""Models as they are opened: options that one of this kind would ignore, and images that it does not take."""

import pytest
import torch
from torch import nn

from touchstone.assay import user_models


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A file of each kind that is opened without another library, named for its kind; models are not read further."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(user_models, "check_libraries", lambda *_: None)
    monkeypatch.setattr(user_models, "is_program", lambda path: path.suffix == ".pt2")
    monkeypatch.setattr(user_models, "names", lambda path: ["net/code/a.py"] if path.name == "script.pt" else [])
    monkeypatch.setattr(user_models, "unpickled", lambda path, trust_code: {"": nn.Flatten()})
    for name in ("model.onnx", "model.pt2", "script.pt", "pickle.pt"):
        (tmp_path / name).touch()


@pytest.mark.parametrize(
    ("model", "option"),
    [
        *((name, "architecture") for name in ("model.onnx", "model.pt2", "script.pt", "pickle.pt", "resnet18")),
        *((name, "weights") for name in ("model.onnx", "model.pt2", "script.pt", "pickle.pt")),
    ],
)
def test_an_option_that_the_model_does_not_use_is_refused(files, model, option):
    with pytest.raises(ValueError, match=f"--{option} other: is only for a .*, and {model} is not one; omit it"):
        user_models.open_model(model, **{option: "other"})


class ChannelsLast(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, images):
        return self.conv(images.permute(0, 3, 1, 2)).mean((2, 3))


@pytest.mark.usefixtures("readers_with_torch")
@pytest.mark.parametrize(("sides", "resize"), [((8, 8), "$"), ((6, 8), ", and pass --resize 8x8$")])
def test_a_program_with_channels_last_is_told_to_move_them(tmp_path, sides, resize):
    images, shapes = torch.rand(2, 8, 8, 3), ({0: torch.export.Dim("images", min=1)},)
    program = torch.export.export(ChannelsLast().eval(), (images,), dynamic_shapes=shapes)
    torch.export.save(program, tmp_path / "m.pt2")
    model = user_models.open_model(str(tmp_path / "m.pt2"))

    with pytest.raises(ValueError, match=rf"It takes channels last\..*images\.permute\(0, 2, 3, 1\)\){resize}"):
        model.program((3, *sides))
