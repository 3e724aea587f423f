"""Networks of torchvision with weights: those of a file, and the published ones with what torchvision sets for them."""

import sys
from pathlib import Path

import pytest
import torch
from torchvision import models

from touchstone.assay import networks_from_weights, program_export
from touchstone.assay.user_models import UserModel


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """A function that saves weights where the published ones of a network are looked for."""
    file = tmp_path / "weights.pth"
    monkeypatch.setattr(networks_from_weights, "_download", lambda name: file)
    return lambda state: torch.save(state, file)


@pytest.mark.filterwarnings("ignore:The default weight initialization")
def test_published_weights_of_googlenet_take_the_input_that_torchvision_transforms(weights):
    weights(models.googlenet(weights=None, init_weights=False).state_dict())

    assert networks_from_weights.published("googlenet", None).network.transform_input


def test_published_weights_of_a_densenet_fit_by_their_earlier_names(weights):
    state = models.densenet121().state_dict()
    weights({key.replace("norm1", "norm.1").replace("conv2", "conv.2"): value for key, value in state.items()})

    network, _ = networks_from_weights.published("densenet121", None)

    assert all(torch.equal(value, state[key]) for key, value in network.state_dict().items())


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2", "squeezenet1_1", "shufflenet_v2_x0_5"])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_weights_of_any_number_of_classes_fill_the_network_that_is_named(tmp_path, name, prefix):
    own = models.get_model(name, weights=None, num_classes=7).eval()
    torch.save({prefix + key: value for key, value in own.state_dict().items()}, tmp_path / "own.pth")
    images = torch.rand(2, 3, 64, 64)

    filled, _ = networks_from_weights.published(name, str(tmp_path / "own.pth"))

    assert torch.equal(filled(images), own(images))


def test_weights_of_another_network_are_refused(tmp_path):
    torch.save({"last.weight": torch.zeros(3, 4)}, tmp_path / "own.pth")

    with pytest.raises(ValueError, match=r"own.pth: there are no weights fc.bias of a layer that makes the logits"):
        networks_from_weights.published("resnet18", str(tmp_path / "own.pth"))


@pytest.mark.parametrize(("name", "size"), [("vit_b_16", 224), ("vit_h_14", 518)])
def test_published_weights_of_a_vision_transformer_are_for_images_of_their_size(name, size):
    assert networks_from_weights._published_settings(name) == {"image_size": size}


@pytest.fixture
def network_file(tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "network.py").write_text("def build(classes):\n    pass\n\ndef nothing():\n    pass\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "mine", raising=False)
    monkeypatch.delitem(sys.modules, "mine.network", raising=False)


@pytest.mark.usefixtures("network_file")
@pytest.mark.parametrize("typed", ["mine/network.py:build", "./mine/network.py:build", "mine/network:build"])
def test_a_path_in_place_of_a_module_is_answered_with_the_module(typed):
    with pytest.raises(ValueError, match=r"expected module:function, .*\. Did you mean mine\.network:build\?"):
        networks_from_weights.filled(typed, {}, Path("weights.pt"))


@pytest.mark.usefixtures("network_file")
def test_a_mistyped_function_is_answered_with_the_nearest_one():
    with pytest.raises(ValueError, match=r"has no attribute 'biuld'.* Did you mean build\?"):
        networks_from_weights.filled("mine.network:biuld", {}, Path("weights.pt"))


@pytest.mark.usefixtures("network_file")
@pytest.mark.parametrize(
    ("function", "fault"),
    [("build", r"build\(\) missing 1 required positional argument: 'classes'"), ("nothing", "returns a NoneType")],
)
def test_a_function_that_returns_no_network_is_answered_with_what_it_must_do(function, fault):
    with pytest.raises(
        ValueError, match=rf"mine\.network:{function}: {fault}; expected a function that needs no argument"
    ):
        networks_from_weights.filled(f"mine.network:{function}", {}, Path("weights.pt"))


CODE = """
from torch import nn

def base():
    return nn.Sequential(nn.Flatten(), nn.Linear(192, 3))

def lazy():
    from helper import make
    return make()

def lost():
    from nowhere import make
    return make()

def cuda():
    raise RuntimeError("Found no NVIDIA driver on your system.\\nPlease check")

def broken():
    return {}["width"]

def ended():
    raise SystemExit(3)

class Tuple(nn.Sequential):
    def forward(self, x):
        return super().forward(x), x

class Length(nn.Sequential):
    def forward(self, x):
        return self[1](x.reshape(len(x), -1))

class Moving(nn.Sequential):
    def forward(self, x):
        return super().forward(x.cuda())

class Lists(nn.Sequential):
    def forward(self, x):
        import torch
        return super().forward(torch.tensor(x.tolist()))

class Untraceable(nn.Sequential):
    def forward(self, x):
        import torch
        if torch.jit.is_tracing() or torch.compiler.is_compiling():
            raise RuntimeError("only eager")
        return super().forward(x)

class LazyForward(nn.Sequential):
    def forward(self, x):
        import helper
        return super().forward(x)
"""


@pytest.fixture
def code(tmp_path, monkeypatch):
    """Modules of the user's in the current folder."""
    (tmp_path / "users_nets.py").write_text(CODE)
    (tmp_path / "helper.py").write_text(
        "from torch import nn\n\ndef make():\n    return nn.Sequential(nn.Linear(192, 3))\n"
    )
    (tmp_path / "parses.py").write_text("import argparse\nargparse.ArgumentParser().parse_args(['--arch'])\n")
    (tmp_path / "torn.py").write_text("def build(:\n")
    (tmp_path / "needs.py").write_text("import nowhere\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield
    for name in {"users_nets", "helper", "parses", "torn", "needs"} - before:
        sys.modules.pop(name, None)


@pytest.mark.usefixtures("code")
def test_a_function_may_import_from_the_current_folder_when_it_is_called():
    assert isinstance(networks_from_weights._built_by("users_nets:lazy"), torch.nn.Module)


@pytest.mark.usefixtures("code")
@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("users_nets:lost", "its code raises ModuleNotFoundError: No module named 'nowhere'$"),
        (
            "users_nets:cuda",
            r"its code moves tensors to a GPU, .* \(Found no NVIDIA driver on your system\)\. Remove \.cuda\(\)",
        ),
        ("users_nets:broken", "its code raises KeyError: 'width'$"),
        ("users_nets:ended", r"its code ends the program \(exit code 3\)"),
        (
            "parses:build",
            r"its code ends the program \(.*unrecognized arguments: --arch\)\. Does it parse a command line",
        ),
        ("torn:build", "invalid syntax"),
        ("needs:build", "No module named 'nowhere'"),
        ("nothing_there:build", "No module named 'nothing_there'; expected module:function, seen from"),
        ("users_nets:lazzy", r"has no attribute 'lazzy'.* Did you mean lazy\?"),
        ("users_nets", "expected module:function"),
    ],
)
def test_code_that_fails_is_answered_in_one_line(typed, told, capsys):
    with pytest.raises(ValueError, match=rf"^--architecture {typed}: .*{told}") as error:
        networks_from_weights.filled(typed, {}, Path("weights.pt"))

    assert "\n" not in str(error.value) and not capsys.readouterr().err


def exported(name, tmp_path):
    import users_nets

    network = getattr(users_nets, name)(torch.nn.Flatten(), torch.nn.Linear(192, 3)).eval()
    model = program_export.put_into_file(UserModel(network=network), (3, 8, 8), tmp_path / "m")
    program_export.check_same(network, model.program((3, 8, 8)), torch.rand(64, 3, 8, 8))


@pytest.mark.usefixtures("code")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("Tuple", "the model returns a tuple; return only the logits"),
        ("Moving", r"^the model cannot run: its code moves tensors to a GPU, and is opened on the CPU \(.*\)\. Remove"),
        ("Lists", r"does not take 64 images, but the network does: .*Instead of len\(x\).*or assay module:function"),
        ("Untraceable", r"cannot be made a program: .*only eager.* or assay module:function"),
    ],
)
def test_networks_that_cannot_be_exported_say_why_in_one_line(name, told, tmp_path):
    sys.path.append(str(tmp_path))

    with pytest.raises(ValueError, match=told):
        exported(name, tmp_path)


@pytest.mark.usefixtures("code")
@pytest.mark.filterwarnings("ignore")
def test_a_network_that_reads_the_number_of_images_as_a_plain_number_is_exported(tmp_path, capfd):
    sys.path.append(str(tmp_path))

    exported("Length", tmp_path)

    assert (tmp_path / "m.pt2").is_file() and not capfd.readouterr().err


@pytest.mark.usefixtures("code")
@pytest.mark.filterwarnings("ignore")
def test_a_network_may_import_from_the_current_folder_when_it_runs(tmp_path):
    networks_from_weights._built_by("users_nets:base")

    exported("LazyForward", tmp_path)
