"""Programs whose code is in their file: as exact as the network they came from, and no pickle in them is opened."""

import io
import json
import pickle
import zipfile
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from touchstone.models.exported_program import exported_program
from touchstone.models.torchscript_program import torchscript_program
from touchstone.network_files import trust
from touchstone.network_files.programs import GRAPH, GraphProgram, as_bytes
from touchstone.network_files.pt2_archive import read_program
from touchstone.networks import checkpoints, readouts
from touchstone.numerics.gradient_norms import gradient_norms
from touchstone.pipeline.steps.infer import infer
from touchstone.pretrained.exported_program import exported_program as read_exported
from touchstone.pretrained.torchscript import torchscript
from touchstone.records.encoding import DamagedFile, decode, encode
from touchstone.records.nouns import Checkpoint, ExampleSet

SHAPE = (2, 8, 8)


class Theirs(nn.Module):
    """A network with what exports differ in: batch norm, a shared layer, a bare parameter, sizes computed at run time."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(2, 4, 3, padding=1, groups=2)
        self.norm = nn.BatchNorm2d(4)
        self.shared = nn.Linear(4, 4)
        self.scale = nn.Parameter(torch.tensor([1.5]))
        self.head = nn.Linear(4, 3, bias=False)

    def forward(self, images):
        maps = torch.relu(self.norm(self.first(images)))
        pooled = maps.view(images.shape[0], 4, -1).mean(2)
        return self.head(self.scale * torch.tanh(self.shared(torch.relu(self.shared(pooled)))))


@pytest.fixture
def net():
    torch.manual_seed(1)
    net = Theirs()
    net(torch.rand(16, *SHAPE))  # gives batch norm statistics of its own
    return net.eval()


def save(net, path, count=None):
    images = torch.rand(count or 2, *SHAPE)
    shapes = None if count else ({0: torch.export.Dim("images", min=1)},)
    buffer = io.BytesIO()
    torch.export.save(torch.export.export(net, (images,), dynamic_shapes=shapes), buffer)
    path.write_bytes(buffer.getvalue())


def checkpoint(weights):
    stored = Checkpoint(weights, {"use": "it"}, SHAPE, 3, (0.2, 0.3), (0.5, 0.6))
    return decode(encode(stored), Checkpoint)


def test_a_program_from_a_checkpoint_says_exactly_what_its_network_says(net, tmp_path):
    save(net, tmp_path / "weights.pt")
    stored = checkpoint(read_exported(tmp_path))

    model = checkpoints.load(exported_program, stored)

    images = torch.rand(5, *SHAPE)
    assert torch.equal(model[1](images), net(images))
    assert checkpoints.weights_of(model).keys() == stored.weights.keys()
    again = checkpoint(checkpoints.weights_of(model))
    assert torch.equal(checkpoints.load(exported_program, again)(images), model(images))


def test_features_and_gradient_norms_of_a_program_are_those_of_its_network(net, tmp_path):
    save(net, tmp_path / "weights.pt")
    program = checkpoints.load(exported_program, checkpoint(read_exported(tmp_path)))[1]
    images = torch.rand(3, *SHAPE)

    ours, theirs = (readouts.read_out(model, images, {}, names=["features"])["features"] for model in (program, net))
    torch.testing.assert_close(ours, theirs)
    ours, theirs = (gradient_norms(model, images, lambda logits: logits.logsumexp(1)) for model in (program, net))
    torch.testing.assert_close(ours.sum(1), theirs.sum(1))
    assert ours.shape == theirs.shape == (3, 8)


def test_a_program_for_four_images_takes_any_number(net, tmp_path):
    save(net, tmp_path / "four.pt2", count=4)
    graph, weights = read_program(tmp_path / "four.pt2")
    assert graph["shape"][0] == 4
    program = GraphProgram(4)
    program.open({**weights, GRAPH: as_bytes(json.dumps(graph).encode())})
    images = torch.rand(6, *SHAPE)

    torch.testing.assert_close(program(images), net(images))
    assert program.contents().keys() == {*weights, GRAPH}


def test_the_outputs_of_a_program_for_four_images_have_a_row_for_each_image(net, tmp_path):
    save(net, tmp_path / "weights.pt", count=4)
    model = checkpoints.load(partial(exported_program, batch=4), checkpoint(read_exported(tmp_path)))
    examples = ExampleSet(torch.rand(10, *SHAPE).numpy(), np.arange(10) % 3, np.arange(10), "drawn")

    outputs = infer(examples, model, confounding={}, batch_size=6, device="cpu")

    assert outputs.features["penultimate"].shape[0] == len(outputs.logits) == 10


def test_torchscript_gives_logits_and_gradients_for_the_images(net, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.jit.save(torch.jit.trace(net, torch.rand(2, *SHAPE)), tmp_path / "weights.pt")
    trust.trust(Path("weights.pt").read_bytes(), "weights.pt")
    model = checkpoints.load(torchscript_program, checkpoint(torchscript(tmp_path)))
    images = torch.rand(3, *SHAPE, requires_grad=True)

    (gradient,) = torch.autograd.grad(model[1](images).sum(), images)

    (expected,) = torch.autograd.grad(net(images).sum(), images)
    torch.testing.assert_close(gradient, expected)


class Minus(nn.Module):
    """Attention as some networks write it, with a mask of -inf; one linear layer over rows, normalised."""

    def __init__(self):
        super().__init__()
        self.rows, self.norm, self.head = nn.Linear(128, 8), nn.BatchNorm1d(8), nn.Linear(8, 3)

    def forward(self, images):
        rows = self.norm(self.rows(images.flatten(1)))
        return self.head(torch.softmax(rows.masked_fill(rows < 0, float("-inf")), 1).nan_to_num())


@pytest.mark.parametrize("decomposed", [False, True])
def test_infinity_and_normalised_rows_are_read_in_every_form_of_a_program(tmp_path, decomposed):
    torch.manual_seed(1)
    net = Minus()
    net(torch.rand(16, *SHAPE))
    net.eval()
    program = torch.export.export(
        net, (torch.rand(2, *SHAPE),), dynamic_shapes=({0: torch.export.Dim("images", min=1)},)
    )
    torch.export.save(program.run_decompositions() if decomposed else program, tmp_path / "weights.pt")
    images = torch.rand(3, *SHAPE)

    model = checkpoints.load(exported_program, checkpoint(read_exported(tmp_path)))[1]

    torch.testing.assert_close(model(images), net(images))


class Writer(nn.Module):
    """TorchScript that writes a file of the name that it was given, when it is loaded and when it is run."""

    name: str

    def __init__(self, name: str):
        super().__init__()
        self.name = name

    @torch.jit.export
    def __getstate__(self) -> tuple[str, bool]:
        return self.name, self.training

    @torch.jit.export
    def __setstate__(self, state: tuple[str, bool]) -> None:
        self.name = state[0]
        self.training = bool(torch.from_file(self.name, True, 16).sum() > 1)  # what has no effect is left out

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.from_file(self.name, True, 16)


def test_torchscript_that_nobody_trusts_is_not_even_loaded(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.jit.save(torch.jit.script(Writer("written")), "weights.pt")
    data = as_bytes(Path("weights.pt").read_bytes())

    with pytest.raises(DamagedFile, match=r"weights\.pt: TorchScript can .* Use a torch\.export program \(\.pt2\)"):
        torchscript(tmp_path)
    with pytest.raises(DamagedFile, match=r"--trust-code.*sha256:[0-9a-f]{64} to \.touchstone/trusted"):
        checkpoints.load(torchscript_program, checkpoint({GRAPH: data}))
    assert not Path("written").exists()

    # The line that the refusal names is what lets it run: here, that the trap works and would have been seen.
    message = trust.refusal(data.tobytes())
    Path(".touchstone").mkdir()
    Path(".touchstone/trusted").write_text(message[message.index("sha256:") :].split()[0] + "\n")
    checkpoints.load(torchscript_program, checkpoint({GRAPH: data}))
    assert Path("written").stat().st_size == 64


def test_trust_is_of_bytes_and_not_of_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    trust.trust(b"mine", "model.pt\nsha256:0")
    trust.trust(b"mine", "model.pt")

    assert trust.trusted(b"mine") and not trust.trusted(b"theirs") and not trust.trusted(b"")
    assert len(Path(".touchstone/trusted").read_text().splitlines()) == 1


class Trap:
    """What a hostile file would hold."""

    def __reduce__(self):
        return (Path.touch, (Path("sprung"),))


def rewritten(path, change):
    """Write the archive anew with its files changed by `change(name, bytes)`."""
    with zipfile.ZipFile(path) as archive:
        files = {name: change(name, archive.read(name)) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)


def test_a_pickled_weight_is_refused_and_not_opened(net, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save(net, tmp_path / "trap.pt2")

    def change(name, data):
        if name.endswith("weights_config.json"):
            config = json.loads(data)
            config["config"]["scale"]["use_pickle"] = True
            return json.dumps(config)
        return pickle.dumps(Trap()) if "/data/weights/weight_" in name or "sample_inputs" in name else data

    rewritten(tmp_path / "trap.pt2", change)

    with pytest.raises(DamagedFile, match="scale is a pickle, which could run code"):
        read_program(tmp_path / "trap.pt2")
    assert not Path("sprung").exists()


@pytest.mark.parametrize(
    "op", ["torch.ops.aten.from_file.default", "torch.ops.mine.run.default", "os.system", "aten.__class__"]
)
def test_what_is_no_tensor_operator_is_refused(net, tmp_path, op):
    save(net, tmp_path / "weights.pt")

    def change(name, data):
        if "/models/" in name:
            data = data.replace(b"torch.ops.aten.relu.default", op.encode(), 1)
        return data

    rewritten(tmp_path / "weights.pt", change)

    with pytest.raises(DamagedFile, match="which touchstone does not run"):
        checkpoints.load(exported_program, checkpoint(read_exported(tmp_path)))


def test_a_file_that_is_cut_is_told(net, tmp_path):
    save(net, tmp_path / "weights.pt")
    rewritten(tmp_path / "weights.pt", lambda name, data: data[:-8] if name.endswith("weight_0") else data)

    with pytest.raises(DamagedFile, match=r"not a whole torch\.export program"):
        read_program(tmp_path / "weights.pt")


class Counting(nn.Module):
    """A network whose third answer is another one."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(128, 3)
        self.register_buffer("calls", torch.zeros(1))

    def forward(self, images):
        self.calls.add_(1)
        logits = self.head(images.flatten(1))
        return torch.where(self.calls > 2, -logits, logits)


def test_a_program_that_changes_its_own_state_is_refused(tmp_path):
    program = torch.export.export(Counting(), (torch.rand(2, *SHAPE),)).run_decompositions()
    torch.export.save(program, tmp_path / "counting.pt2")

    with pytest.raises(DamagedFile, match=r"changes its own state when it runs \(buffer_mutation\)"):
        read_program(tmp_path / "counting.pt2")
