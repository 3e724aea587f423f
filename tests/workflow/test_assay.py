"""`touchstone assay` as a user types it: what it writes for each kind of model, and what it says to mistakes."""

import importlib.util
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn
from torchvision import models

from touchstone.__main__ import main
from touchstone.assay import program_export, user_models
from touchstone.network_files import confined, onnx_conversion, weight_files
from touchstone.pipeline.orchestration import locks
from touchstone.pipeline.planning.plan import Plan
from touchstone.pipeline.settings.study import load

ROOT = Path(__file__).parents[2]
SHAPE = (1, 12, 12)
NETWORK = """
from torch import nn

def network():
    return nn.Sequential(nn.Conv2d(1, 4, 3, stride=2), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Dropout(0.5), nn.Linear(100, 3))
"""


@pytest.fixture(scope="module")
def their_folder(tmp_path_factory):
    """A user's network, saved in every way, and 60 images of three classes, in two."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("theirs")
    (folder / "their_network.py").write_text(NETWORK)
    sys.path.insert(0, str(folder))
    from their_network import network

    torch.manual_seed(0)
    net = network().eval()
    torch.save(net.state_dict(), folder / "state.pt")
    torch.save(net, folder / "whole.pt")
    save_file(net.state_dict(), folder / "weights.safetensors")
    onnx_file(folder / "net.onnx")
    torch.jit.save(torch.jit.trace(net, torch.rand(2, *SHAPE)), folder / "script.pt")
    exported(folder / "any.pt2", net)
    torch.export.save(torch.export.export(net, (torch.rand(4, *SHAPE),)), folder / "four.pt2")
    levels = np.random.default_rng(0).integers(0, 256, (60, *SHAPE[1:]), np.uint8)
    for row, level in enumerate(levels):
        (folder / "pictures" / "abc"[row % 3]).mkdir(parents=True, exist_ok=True)
        Image.fromarray(level).save(folder / "pictures" / "abc"[row % 3] / f"{row:02}.png")
    np.savez(folder / "arrays.npz", images=levels, labels=np.arange(60) % 3)
    np.savez(folder / "others.npz", images=255 - levels)
    yield folder
    sys.path.remove(str(folder))


def exported(path, net, shape=SHAPE):
    images = torch.export.Dim("images", min=1)
    torch.export.save(torch.export.export(net, (torch.rand(2, *shape),), dynamic_shapes=({0: images},)), path)
    return path


@pytest.fixture(autouse=True)
def readers_with_torch(forking):
    forking(confined)


@pytest.fixture
def project(tmp_path, monkeypatch, their_folder):
    """A folder like a clone, to type the command in; the user's own files are reached by path."""
    for name in ("Snakefile", "params.yaml", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "workflow/studies").mkdir(parents=True)
    shutil.copy(their_folder / "their_network.py", tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def assay(model, data, *more):
    return main(["assay", str(model), "--data", str(data), "--quick", "--dry-run", *map(str, more)])


def onnx_file(path, sides=("images", *SHAPE), columns=144, dropout=None, prefix=""):
    """A network of two layers, written with onnx alone: torch's own exporter needs packages that nobody else here does.

    prefix: before the names of all values and nodes, as torch's older exporter puts "/n/n.0/Conv". dropout: None, or
    whether the Dropout between the layers is on; "" for one that does not say.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    draws = np.random.default_rng(0)
    weights = {
        "first": draws.normal(0, 0.1, (8, columns)).astype(np.float32),
        "first_bias": draws.normal(0, 0.1, 8).astype(np.float32),
        "last": draws.normal(0, 1, (3, 8)).astype(np.float32),
        "last_bias": draws.normal(0, 1, 3).astype(np.float32),
        **({} if dropout is None else {"share": np.float32(0.5), "on": np.bool_(dropout)}),
    }
    nodes = [
        ("Flatten", ["images"], "rows", {"axis": 1}),
        ("Gemm", ["rows", "first", "first_bias"], "hidden", {"transB": 1}),
        ("Relu", ["hidden"], "bent", {}),
        *(
            [("Dropout", ["bent", *(["share", "on"] if dropout != "" else [])], "kept", {})]
            if dropout is not None
            else []
        ),
        ("Gemm", ["bent" if dropout is None else "kept", "last", "last_bias"], "logits", {"transB": 1}),
    ]
    graph = helper.make_graph(
        [
            helper.make_node(kind, [prefix + name for name in given], [prefix + made], name=prefix + kind, **settings)
            for kind, given, made, settings in nodes
        ],
        "theirs",
        [helper.make_tensor_value_info(prefix + "images", TensorProto.FLOAT, sides)],
        [helper.make_tensor_value_info(prefix + "logits", TensorProto.FLOAT, (sides[0], 3))],
        [numpy_helper.from_array(np.asarray(values), prefix + name) for name, values in weights.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)
    return path


WAYS = {
    "net.onnx": (),
    "any.pt2": (),
    "four.pt2": (),
    "script.pt": ("--trust-code",),
    "state.pt": ("--architecture", "their_network:network"),
    "weights.safetensors": ("--architecture", "their_network:network"),
    "whole.pt": ("--trust-pickle",),  # the flag's former name
}


@pytest.mark.parametrize("line_break", ["\n", "\r", "\x85", "\u2028"])
def test_what_was_typed_stays_a_comment_of_the_study(project, their_folder, monkeypatch, line_break):
    typed = f"a{line_break}plugins: [nowhere]{line_break}"
    monkeypatch.setattr(sys, "argv", ["touchstone", "assay", typed])

    assert assay(their_folder / "any.pt2", their_folder / "pictures", "--name", "mine") == 0

    lines = Path("workflow/studies/mine.yaml").read_text().splitlines()
    assert "plugins: [nowhere]" in lines[0] and not any(line.startswith("plugins") for line in lines)
    assert lines[1].startswith("# As written: ") and any(line.startswith("# Run it again") for line in lines[2:6])
    assert load("mine").name == "mine"


@pytest.mark.parametrize("way", WAYS)
def test_a_network_saved_any_way_becomes_a_study_that_can_be_planned(project, their_folder, capsys, way):
    assert assay(their_folder / way, their_folder / "pictures", *WAYS[way], "--name", "mine") == 0

    study = load("mine")
    plan = Plan(study)
    assert study["classifiers"]["own_model"]["classes"] == 3
    assert {rule.step for rule, _ in plan.jobs()} >= {"fetch", "prepare", "train", "attack", "measure", "fit", "report"}
    message = capsys.readouterr().out
    assert "1 x 12 x 12 pixels in, 3 classes out" in message and "min on" in message
    layers = {"mahalanobis", "gradient_network"} <= study["detectors"].keys()
    assert layers == (way not in ("script.pt", "four.pt2"))
    assert layers or "left out" in Path("workflow/studies/mine.yaml").read_text()
    assert layers or "left out" in study["evaluations"]["detection"]["question"]


def test_the_parts_of_the_users_images_are_disjoint_and_arrays_serve_as_well(project, their_folder):
    from touchstone.data.own_images import own_images

    parts = [own_images(their_folder / "pictures", part=part) for part in ("fit", "calibration", "test")]
    ids = [set(part.example_ids.tolist()) for part in parts]
    assert [len(part) for part in parts] == [18, 12, 30]
    assert len(set.union(*ids)) == 60

    assert (
        assay(
            their_folder / "any.pt2",
            their_folder / "arrays.npz",
            "--ood",
            their_folder / "others.npz",
            "--out",
            "here.yaml",
        )
        == 0
    )
    study = load("here.yaml")
    assert study["sources"]["here_ood_1"]["location"] == str(their_folder / "others.npz")
    assert study["examples"]["ood_1"]["labelled"] is False


def test_an_equal_program_is_not_written_again(project, their_folder):
    for _ in range(2):
        assert assay(their_folder / "state.pt", their_folder / "pictures", *WAYS["state.pt"], "--name", "mine") == 0
        made = Path("workflow/studies/mine.pt2").stat().st_mtime_ns, load("mine")["sources"]["mine_model"]["sha256"]
        first = locals().get("first", made)

    assert first == made


def test_a_program_is_the_same_as_another_by_its_contents(project, their_folder):
    def same(one, other):
        return program_export.same_program(project / one, their_folder / other)

    (project / "torn.pt2").write_bytes((their_folder / "any.pt2").read_bytes()[:-100])
    for name in ("script.pt", "any.pt2"):
        shutil.copy(their_folder / name, project)
    exported(project / "another.pt2", torch.load(their_folder / "whole.pt", weights_only=False))

    assert same("any.pt2", "any.pt2") and same("another.pt2", "any.pt2") and same("script.pt", "script.pt")
    assert not same("none.pt2", "any.pt2") and not same("torn.pt2", "any.pt2") and not same("any.pt2", "four.pt2")


class Broken(nn.Module):
    """The user's network with something done to its end."""

    def __init__(self, end):
        super().__init__()
        self.head, self.end = nn.Linear(144, 3), end

    def forward(self, images):
        return self.end(self.head(images.flatten(1)))


def training(folder):
    from their_network import network

    return exported(folder / "training.pt2", network().train())


def no_classes(folder):
    (folder / "flat").mkdir()
    Image.fromarray(np.zeros((12, 12), np.uint8)).save(folder / "flat/one.png")
    return folder / "flat"


def one_class(folder, their_folder):
    shutil.copytree(their_folder / "pictures/a", folder / "single/a")
    return folder / "single"


def torn(folder, their_folder):
    shutil.copytree(their_folder / "pictures", folder / "torn")
    picture = folder / "torn/b/01.png"
    picture.write_bytes(picture.read_bytes()[:60])
    return folder / "torn"


def torn_onnx(folder):
    (folder / "torn.onnx").write_bytes(onnx_file(folder / "whole.onnx").read_bytes()[:700])
    return folder / "torn.onnx"


def as_floats(folder, their_folder):
    np.savez(folder / "floats.npz", images=np.load(their_folder / "arrays.npz")["images"] / np.float32(255))
    return folder / "floats.npz"


def classes_of(folder, numbers, empty=()):
    """60 pictures in folders with these numbers of their own, and folders without any."""
    place = folder / "classes"
    for row in range(60):
        home = place / numbers[row % len(numbers)]
        home.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(row).integers(0, 256, SHAPE[1:], np.uint8)).save(home / f"{row:02}.png")
    for name in empty:
        (place / name).mkdir()
    return place


def branching(folder):
    """Weights of a network that negates its logits for images of 8 bits, which noise is not."""
    (folder / "branching.py").write_text(
        "import torch\n"
        "class Branching(torch.nn.Sequential):\n"
        "    def forward(self, images):\n"
        "        logits = super().forward(images)\n"
        "        levels = 255 * images\n"
        "        return -logits if (levels - levels.round()).abs().max() < 0.001 else logits\n"
        "def network():\n"
        "    return Branching(torch.nn.Flatten(), torch.nn.Linear(144, 3))\n"
    )
    torch.manual_seed(0)
    save_file(nn.Sequential(nn.Flatten(), nn.Linear(144, 3)).state_dict(), folder / "branching.safetensors")
    return folder / "branching.safetensors"


def colour(folder):
    np.savez(folder / "colour.npz", images=np.random.default_rng(0).integers(0, 256, (60, 12, 12, 3), np.uint8),
             labels=np.arange(60) % 3)  # fmt: skip
    return folder / "colour.npz"


def written(path, text):
    path.write_text(text)
    return path


def without_code(folder):
    """A pickled network of a class that is not defined here, as one from a notebook."""
    lost = type("Lost", (nn.Linear,), {"__module__": __name__})
    globals()["Lost"] = lost
    torch.save(lost(144, 3), folder / "lost.pt")
    del globals()["Lost"]
    return folder / "lost.pt"


def transformer(folder):
    torch.save(models.VisionTransformer(8, 4, 1, 1, 4, 4, num_classes=3), folder / "vit.pt")
    return folder / "vit.pt"


MISTAKES = {
    "missing file": (lambda p, t: ["nowhere.pt2", t / "pictures"], "no model file nowhere.pt2"),
    "misspelt file": (lambda p, t: [t / "anny.pt2", t / "pictures"], "any.pt2?"),
    "no folder": (lambda p, t: [t / "none/any.pt2", t / "pictures"], "none/any.pt2: there is no folder"),
    "no model": (lambda p, t: [written(p / "model.pt", "words"), t / "pictures"], "model.pt is no file of torch.save"),
    "no pickle": (
        lambda p, t: [written(p / "model.pt", "words"), t / "pictures", "--trust-code"],
        "model.pt: cannot be unpickled (invalid load key",
    ),
    "a pickle without its code": (
        lambda p, t: [without_code(p), t / "pictures", "--trust-code"],
        "the code of a class in it cannot be imported (Can't get attribute 'Lost'",
    ),
    "a transformer for other images": (
        lambda p, t: [transformer(p), t / "pictures", "--trust-code"],
        "Wrong image height! Expected 8 but got 12. --resize HEIGHTxWIDTH, --gray or --rgb change the images",
    ),
    "missing data": (lambda p, t: [t / "any.pt2", "nowhere"], "--data nowhere: there is no such folder"),
    "wrong shape": (lambda p, t: [t / "any.pt2", colour(p)], "does not take your images, 3 x 12 x 12"),
    "no classes": (lambda p, t: [t / "any.pt2", no_classes(p)], "put each picture into a folder named for its class"),
    "probabilities": (
        lambda p, t: [exported(p / "soft.pt2", Broken(nn.Softmax(1))), t / "pictures"],
        "returns probabilities (each row sums to 1)",
    ),
    "train mode": (lambda p, t: [training(p), t / "pictures"], "Call model.eval() before it is saved or exported"),
    "a pickle": (lambda p, t: [t / "whole.pt", t / "pictures"], "--trust-code opens it"),
    "one class": (lambda p, t: [t / "any.pt2", one_class(p, t)], "are of one class, a; a classifier needs two"),
    "a broken image": (lambda p, t: [t / "any.pt2", torn(p, t)], "1 broken image: b/01.png ("),
    "unknown name": (lambda p, t: ["resnet81", t / "pictures"], "no network of torchvision. Did you mean resnet18?"),
    "NaN": (
        lambda p, t: [exported(p / "nan.pt2", Broken(Log())), t / "pictures"],
        "returns NaN or infinity for 1 of 1 tried images",
    ),
    "no gradient": (lambda p, t: [exported(p / "round.pt2", Broken(Rounded())), t / "pictures"], "zero everywhere"),
    "blind": (lambda p, t: [exported(p / "blind.pt2", Broken(Blind())), t / "pictures"], "ignores its input"),
    "too few classes": (
        lambda p, t: [exported(p / "two.pt2", nn.Sequential(nn.Flatten(), nn.Linear(144, 2))), t / "pictures"],
        "the model has 2 classes, pictures has 3 (a, b, c)",
    ),
    "too many outputs": (
        lambda p, t: [t / "any.pt2", classes_of(p, ["cat", "dog"])],
        "the model has 3 classes, classes has 2 (cat, dog). Which output is whose",
    ),
    "an empty class": (
        lambda p, t: [t / "any.pt2", classes_of(p, ["cat", "dog"], ["ant"])],
        "has 2 (cat, dog); ant/ has no picture. Which output is whose",
    ),
    "more names than outputs": (
        lambda p, t: [t / "any.pt2", classes_of(p, ["cat", "dog"]), "--classes", "ant,bee,cat,dog"],
        "the model has 3 classes, classes has 2 (cat, dog), numbered up to 3",
    ),
    "the same images twice": (
        lambda p, t: [t / "any.pt2", t / "pictures", "--ood", t / "pictures"],
        "60 of its 60 images are in --data",
    ),
    "the same images in another form": (
        lambda p, t: [t / "any.pt2", t / "arrays.npz", "--ood", t / "pictures/a"],
        "20 of its 20 images are in --data",
    ),
    "the same images as floats": (
        lambda p, t: [t / "any.pt2", t / "arrays.npz", "--ood", as_floats(p, t)],
        "60 of its 60 images are in --data",
    ),
    "ONNX in train mode": (
        lambda p, t: [onnx_file(p / "on.onnx", dropout=True), t / "pictures"],
        "its Dropout is on, as in training; call model.eval()",
    ),
    "ONNX for one image": (
        lambda p, t: [onnx_file(p / "one.onnx", (1, *SHAPE)), t / "pictures"],
        "takes 1 image at once; export it again with the first side of its input dynamic",
    ),
    "ONNX of rows": (lambda p, t: [onnx_file(p / "r.onnx", ("n", 144)), t / "pictures"], "its input is any x 144"),
    "torn ONNX": (lambda p, t: [torn_onnx(p), t / "pictures"], "torn.onnx: not a whole ONNX file ("),
    "classes of an array": (
        lambda p, t: [t / "any.pt2", t / "arrays.npz", "--classes", "b,a,c"],
        "holds an array of class numbers, not folders; renumber it",
    ),
    "a branch": (
        lambda p, t: [branching(p), t / "pictures", "--architecture", "branching:network"],
        "its code branches on the images, and only one branch is exported",
    ),
    "weights alone": (lambda p, t: [t / "state.pt", t / "pictures"], "--architecture module:function"),
}

# Mistakes that the arguments show by themselves.
EARLY = {
    "eps of 255": (
        ["--eps", "8"],
        "--eps 8: expected a share of the pixel range above 0 and below 1, such as 8/255; 8 of",
    ),
    "eps in words": (["--eps", "eight"], "--eps eight: expected a share of the pixel range"),
    "eps of no level": (
        ["--eps", "0.003"],
        "--eps 0.003: images have 8 bits, so a budget below 1/255 changes no pixel",
    ),
    "no eps": (["--eps", "0"], "--eps 0: expected a share of the pixel range above 0"),
    "std": (["--std", "0.5,0"], "--std 0.5,0: expected numbers above 0"),
    "mean": (["--mean", "a"], "--mean a: expected numbers with commas"),
    "size": (["--resize", "large"], "--resize large: expected HEIGHTxWIDTH"),
    "no width": (["--resize", "6x0"], "--resize 6x0: expected HEIGHTxWIDTH"),
    "out": (["--out", "study.txt"], "--out study.txt: a study is a file NAME.yaml"),
    "missing ood": (["--ood", "nowhere"], "--ood nowhere: there is no such folder or file"),
    "missing weights": (["--weights", "nowhere.pth"], "--weights nowhere.pth: there is no such file"),
}


class Log(nn.Module):
    def forward(self, logits):
        return torch.log(logits - logits.amax(1, keepdim=True) - 1)


class Rounded(nn.Module):
    def forward(self, logits):
        return (logits * 10).round()


class Blind(nn.Module):
    def forward(self, logits):
        return logits * 0 + 1.5


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_ends_in_a_message_before_anything_runs(project, their_folder, capsys, mistake):
    arguments, message = MISTAKES[mistake]

    assert assay(*arguments(project, their_folder)) == 1

    assert message in capsys.readouterr().err

    assert not list(Path("workflow/studies").iterdir())


@pytest.mark.parametrize("mistake", EARLY)
def test_a_mistake_in_the_arguments_is_reported_before_the_model_is_opened(
    project, their_folder, capsys, monkeypatch, mistake
):
    monkeypatch.setattr(user_models, "open_model", None)
    arguments, message = EARLY[mistake]

    assert assay(their_folder / "any.pt2", their_folder / "pictures", *arguments) == 1

    assert message in capsys.readouterr().err


@pytest.mark.parametrize(("arguments", "message"), [
    (["--cores", "two"], "argument --cores: two: expected a number of cores, 1 or more, or all"),
    (["--cores", "0"], "argument --cores: 0: expected"),
    (["--epsilon", "0.1"], "unknown: --epsilon 0.1. Did you mean --eps?"),
])  # fmt: skip
def test_a_mistake_in_the_command_line_is_reported_by_the_parser(project, their_folder, capsys, arguments, message):
    with pytest.raises(SystemExit, match="2"):
        assay(their_folder / "any.pt2", their_folder / "pictures", *arguments)

    assert message in capsys.readouterr().err
    assert not list(Path("workflow/studies").iterdir())


def test_beside_another_run_an_assay_leaves_before_it_looks_at_the_model(project, their_folder, capsys, monkeypatch):
    monkeypatch.setattr(user_models, "open_model", None)
    with locks.claimed():
        assert main(["assay", str(their_folder / "any.pt2"), "--data", str(their_folder / "pictures")]) == 3

    assert "another run is active in this folder" in capsys.readouterr().err


def test_a_network_that_is_refused_leaves_no_file(project, their_folder, capsys):
    (project / "blind.py").write_text(
        "from torch import nn\ndef network():\n    return nn.Sequential(nn.Flatten(), nn.Linear(144, 3))"
    )
    save_file({"1.weight": torch.zeros(3, 144), "1.bias": torch.ones(3)}, "blind.safetensors")

    assert assay("blind.safetensors", their_folder / "pictures", "--architecture", "blind:network") == 1

    assert "ignores its input" in capsys.readouterr().err
    assert not list(Path("workflow/studies").iterdir())


def test_fewer_classes_than_outputs_are_accepted_if_their_places_are_stated(project, their_folder, capsys):
    pictures = classes_of(project, ["cat", "dog"])

    assert assay(their_folder / "any.pt2", pictures, "--classes", "dog,ant,cat", "--name", "mine") == 0

    assert (
        "the model has 3 classes, classes has 2 (dog, cat): the other outputs are never right"
        in capsys.readouterr().out
    )
    assert load("mine")["examples"]["own_test"]["classes"] == ["dog", "ant", "cat"]


def test_images_of_another_size_than_the_model_was_exported_at_are_noted(project, their_folder, capsys):
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))

    assert assay(exported(project / "ten.pt2", net, (1, 10, 10)), their_folder / "pictures") == 0

    message = capsys.readouterr().out
    assert "made for images of 1 x 10 x 10, and takes yours, 1 x 12 x 12, all the same" in message
    assert "--resize 10x10" in message


def test_the_advice_to_export_makes_a_program_that_takes_any_number_of_images(project, capsys):
    model = nn.Sequential(nn.Flatten(), nn.Linear(144, 3))
    names = {"torch": torch, "model": model, "CHANNELS": 1, "HEIGHT": 12, "WIDTH": 12}

    exec(weight_files.EXPORT_LINE, names)

    assert user_models.open_model("model.pt2").batch is None


@pytest.mark.parametrize("dropout", [None, False, ""])
def test_an_onnx_file_with_names_of_places_and_dropout_that_is_off_becomes_a_program(project, dropout):
    """As torch's exporters write them: no program can hold the names, nor the question whether it trains."""
    plain = onnx_conversion.open_onnx(onnx_file(project / "plain.onnx"), "")
    nested = user_models.open_model(str(onnx_file(project / "nested.onnx", dropout=dropout, prefix="/n/n.0/")))

    made = program_export.put_into_file(nested, SHAPE, project / "nested")

    images = torch.rand(3, *SHAPE)
    torch.testing.assert_close(made.program(SHAPE)(images), plain(images))
    assert (made.shape, made.kind) == (SHAPE, "exported_program")


@pytest.mark.parametrize("missing", ["onnx", "onnx2pytorch"])
def test_an_onnx_file_without_its_library_ends_in_both_ways_out(project, their_folder, capsys, monkeypatch, missing):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == missing else find(name))

    assert assay(their_folder / "net.onnx", their_folder / "pictures") == 1

    message = capsys.readouterr().err
    assert "pip install onnx2pytorch" in message and "torch.export.save(" in message


def test_an_onnx_file_with_an_operator_that_cannot_be_converted_ends_in_the_way_out(their_folder, monkeypatch):
    monkeypatch.setattr("onnx2pytorch.ConvertModel", cannot)

    with pytest.raises(ValueError, match=r"cannot convert it \(no operator Gemm\); export it"):
        onnx_conversion.open_onnx(their_folder / "net.onnx", "export it")


def cannot(file):
    raise NotImplementedError("no operator Gemm")


def test_an_onnx_file_that_was_converted_to_something_else_is_refused(their_folder, monkeypatch):
    from onnx2pytorch import ConvertModel

    monkeypatch.setattr("onnx2pytorch.ConvertModel", lambda file: nn.Sequential(ConvertModel(file), nn.Softplus()))

    with pytest.raises(ValueError, match="does not return the logits of ONNX's reference"):
        onnx_conversion.open_onnx(their_folder / "net.onnx", "")


def test_a_network_from_onnx_has_the_gradient_that_its_weights_say(their_folder):
    from onnx import load, numpy_helper

    weights = {
        w.name: torch.tensor(numpy_helper.to_array(w)) for w in load(their_folder / "net.onnx").graph.initializer
    }
    images = torch.rand(2, *SHAPE, requires_grad=True)
    network = onnx_conversion.open_onnx(their_folder / "net.onnx", "")

    (gradient,) = torch.autograd.grad(network(images)[:, 1].sum(), images)

    used = (images.flatten(1) @ weights["first"].T + weights["first_bias"] > 0).float()
    expected = ((used * weights["last"][1]) @ weights["first"]).view_as(images)
    torch.testing.assert_close(gradient, expected)


def test_broken_images_may_be_left_out_and_are_named(project, their_folder, capsys):
    assert assay(their_folder / "any.pt2", torn(project, their_folder), "--leave-out-broken", "--name", "mine") == 0

    assert "left out of torn: 1 broken image: b/01.png" in capsys.readouterr().out
    assert load("mine")["examples"]["own_fit"]["broken"] == "leave_out"


def test_the_parts_of_images_without_the_broken_ones_are_counted(project, their_folder):
    levels = np.random.default_rng(0).random((200, 12, 12), np.float32)
    levels[60:, 0, 0] = np.where(np.arange(140) < 70, np.nan, 0)
    np.savez("torn.npz", images=levels, labels=np.arange(200) % 3)

    assert assay(their_folder / "any.pt2", "torn.npz", "--leave-out-broken", "--name", "mine") == 0

    entry = load("mine")["detectors"]["lid"]
    assert 0 < entry["k"] <= entry["references"] < 60


def test_images_are_not_read_from_a_folder_that_the_assay_writes_into(their_folder, tmp_path, monkeypatch, capsys):
    shutil.copytree(their_folder / "pictures", tmp_path / "own")
    monkeypatch.chdir(tmp_path / "own")

    assert assay(their_folder / "any.pt2", ".", "--out", str(tmp_path / "mine.yaml")) == 1
    assert "the assay writes its study and its results into this folder of images" in capsys.readouterr().err
    assert not (tmp_path / "mine.yaml").exists()

    monkeypatch.chdir(tmp_path)
    assert assay(their_folder / "any.pt2", "own", "--out", "own/mine.yaml") == 1
    assert assay(their_folder / "any.pt2", "own", "--out", "mine.yaml") == 0


def test_the_normalisation_that_a_model_was_trained_with_is_suggested(project, their_folder, capsys):
    """The classes of these images lie in their brightness, which only a network in the right range sees."""
    levels = np.repeat(np.array([40, 120, 210], np.uint8)[np.arange(60) % 3], 144).reshape(60, 12, 12)
    np.savez("bright.npz", images=levels, labels=np.arange(60) % 3)
    net = nn.Sequential(nn.AvgPool2d(12), nn.Flatten(), nn.Linear(1, 3))
    with torch.no_grad():
        net[2].weight.copy_(torch.tensor([[-1.0], [0.0], [1.0]]))
        net[2].bias.copy_(torch.tensor([0.0, 0.35, 0.0]))

    assert assay(exported(project / "range.pt2", net, SHAPE), "bright.npz") == 0

    assert "with [-1, 1] normalisation (--mean 0.5 --std 0.5) it is right on 100%" in capsys.readouterr().out
