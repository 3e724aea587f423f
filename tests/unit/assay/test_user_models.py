"""Options of an assay that a model of this kind would ignore."""

import pytest
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
