"""`touchstone assay` as a user types it: what it writes for each kind of model, and what it says to mistakes."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn

from touchstone.__main__ import main
from touchstone.assay import user_models
from touchstone.pipeline.orchestration import locks
from touchstone.pipeline.planning.plan import Plan
from touchstone.settings.study import load

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
    save_file(net.state_dict(), folder / "weights.safetensors")
    torch.jit.save(torch.jit.trace(net, torch.rand(2, *SHAPE)), folder / "script.pt")
    exported(folder / "any.pt2", net)
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
    return main(["assay", str(model), "--data", str(data), "--trust-code", "--quick", "--dry-run", *map(str, more)])


WAYS = {
    "any.pt2": (),
    "script.pt": (),
    "state.pt": ("--architecture", "their_network:network"),
    "weights.safetensors": ("--architecture", "their_network:network"),
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
    assert {rule for rule, _ in plan.jobs} >= {"fetch", "prepare", "train", "attack", "measure", "detect", "report"}
    message = capsys.readouterr().out
    assert "1 x 12 x 12 pixels in, 3 classes out" in message and "min on" in message
    layers = {"mahalanobis", "gradient_network"} <= study["detectors"].keys()
    assert layers == (way != "script.pt")
    assert study["classifiers"]["own_model"]["model"] == {"use": "models/program_file", "trust_code": True}
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


MISTAKES = {
    "missing file": (lambda p, t: ["nowhere.pt2", t / "pictures"], "no model file nowhere.pt2"),
    "misspelt file": (lambda p, t: [t / "anny.pt2", t / "pictures"], "any.pt2?"),
    "no folder": (lambda p, t: [t / "none/any.pt2", t / "pictures"], "none/any.pt2: there is no folder"),
    "no model": (lambda p, t: [written(p / "model.pt", "words"), t / "pictures"], "model.pt is no file of torch.save"),
    "missing data": (lambda p, t: [t / "any.pt2", "nowhere"], "--data nowhere: there is no such folder"),
    "wrong shape": (lambda p, t: [t / "any.pt2", colour(p)], "was made for images of 1 x 12 x 12"),
    "no classes": (lambda p, t: [t / "any.pt2", no_classes(p)], "put each picture into a folder named for its class"),
    "probabilities": (
        lambda p, t: [exported(p / "soft.pt2", Broken(nn.Softmax(1))), t / "pictures"],
        "returns probabilities (each row sums to 1)",
    ),
    "train mode": (lambda p, t: [training(p), t / "pictures"], "Call model.eval() before it is saved or exported"),
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
    (["--cores", "two"], "Invalid value for '--cores': 'two' is neither all nor a number of cores, 1 or more."),
    (["--cores", "0"], "'0' is neither all nor"),
    (["--epsilon", "0.1"], "No such option '--epsilon'. (Did you mean one of: '--eps'"),
])  # fmt: skip
def test_a_mistake_in_the_command_line_is_reported_by_the_parser(project, their_folder, capsys, arguments, message):
    assert assay(their_folder / "any.pt2", their_folder / "pictures", *arguments) == 2

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


def test_broken_images_may_be_left_out_and_are_named(project, their_folder, capsys):
    assert assay(their_folder / "any.pt2", torn(project, their_folder), "--leave-out-broken", "--name", "mine") == 0

    assert "left out of torn: 1 broken image: b/01.png" in capsys.readouterr().out
    assert load("mine")["examples"]["own_fit"]["broken"] == "leave_out"


def test_a_broken_image_of_no_class_is_left_out_by_the_study_too(project, their_folder):
    others = shutil.copytree(their_folder / "pictures/a", project / "others")
    for path in others.iterdir():
        Image.fromarray(255 - np.asarray(Image.open(path))).save(path)
    (others / "00.png").write_bytes(b"torn")

    words = ["--ood", others, "--leave-out-broken", "--name", "mine"]
    assert assay(their_folder / "any.pt2", their_folder / "pictures", *words) == 0

    sets = load("mine")["examples"]
    assert (sets["ood_1"]["broken"], sets["own_fit"]["broken"]) == ("leave_out", "refuse")


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
