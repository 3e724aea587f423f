"""Programs whose code is in their file: as exact as the network they came from, and nothing runs that nobody trusts."""

import io
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn

from touchstone.models.networks import checkpoints, programs, readouts
from touchstone.models.pretrained.program_file import program_file as read_file
from touchstone.models.program_file import program_file
from touchstone.numerics.gradient_norms import gradient_norms
from touchstone.records.damage import DamagedFile
from touchstone.records.encoding import decode, encode
from touchstone.records.nouns import Checkpoint

SHAPE = (2, 8, 8)
TRUSTED = partial(program_file, trust_code=True)


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
    stored = checkpoint(read_file(tmp_path))

    model = checkpoints.load(TRUSTED, stored)

    images = torch.rand(5, *SHAPE)
    assert torch.equal(model[1](images), net(images))
    again = checkpoint(checkpoints.weights_of(model))
    assert torch.equal(checkpoints.load(TRUSTED, again)(images), model(images))


def test_features_and_gradient_norms_of_a_program_are_those_of_its_network(net, tmp_path):
    save(net, tmp_path / "weights.pt")
    program = checkpoints.load(TRUSTED, checkpoint(read_file(tmp_path)))[1]
    images = torch.rand(3, *SHAPE)

    ours, theirs = (readouts.read_out(model, images, {}, names=["features"])["features"] for model in (program, net))
    torch.testing.assert_close(ours, theirs)
    ours, theirs = (gradient_norms(model, images, lambda logits: logits.logsumexp(1)) for model in (program, net))
    torch.testing.assert_close(ours.sum(1), theirs.sum(1))
    assert ours.shape == theirs.shape == (3, 8)


class Twice(nn.Module):
    """Two bare weights whose names differ in a dot, and dropout that is always on, never on, or of no value."""

    def __init__(self, share=0.0, always=False):
        super().__init__()
        self.norm = nn.ModuleList([nn.LayerNorm(3), nn.LayerNorm(3)])
        self.norm_1 = nn.LayerNorm(3)
        self.head, self.share, self.always = nn.Linear(128, 3), share, always
        nn.init.normal_(self.norm[1].weight)
        nn.init.normal_(self.norm_1.weight)

    def forward(self, images):
        logits = nn.functional.dropout(self.head(images.flatten(1)), self.share, training=self.always)
        return self.norm_1(self.norm[1](logits))


def test_two_networks_from_one_file_share_no_weights(net, tmp_path):
    save(net, tmp_path / "net.pt2")
    data = (tmp_path / "net.pt2").read_bytes()
    images = torch.rand(2, *SHAPE)
    one, other = programs.read_program(data), programs.read_program(data)
    before = other(images).detach()

    with torch.no_grad():
        for weights in one.parameters():
            weights.zero_()

    assert torch.equal(other(images), before) and torch.equal(programs.read_program(data)(images), before)


def test_weights_whose_names_differ_in_a_dot_stay_apart(tmp_path):
    net = Twice().eval()
    save(net, tmp_path / "weights.pt")
    program = checkpoints.load(TRUSTED, checkpoint(read_file(tmp_path)))[1]

    images = torch.rand(5, *SHAPE)
    torch.testing.assert_close(program(images), net(images))


@pytest.mark.parametrize(("share", "always", "random"), [(0.5, True, True), (0.5, False, False), (0.0, True, False)])
def test_a_program_is_random_if_its_dropout_is_always_on(tmp_path, share, always, random):
    save(Twice(share, always).eval(), tmp_path / "weights.pt")
    program = checkpoints.load(TRUSTED, checkpoint(read_file(tmp_path)))[1]

    assert program.random is random


def test_torchscript_has_logits_and_no_features(net, tmp_path):
    torch.jit.save(torch.jit.trace(net, torch.rand(2, *SHAPE)), tmp_path / "weights.pt")
    model = checkpoints.load(TRUSTED, checkpoint(read_file(tmp_path)))
    images = torch.rand(3, *SHAPE)

    torch.testing.assert_close(readouts.read_out(model, images, {}, names=["logits"])["logits"], model(images))
    with pytest.raises(ValueError, match="the layers of TorchScript cannot be reached, so it has no features"):
        readouts.read_out(model, images, {}, names=["features"])


def test_a_program_for_four_images_at_once_is_refused_with_the_way_out(net, tmp_path):
    save(net, tmp_path / "weights.pt", count=4)

    with pytest.raises(
        DamagedFile, match=r"was exported for 4 images at once\. Export it for any number: torch\.export"
    ):
        checkpoints.load(TRUSTED, checkpoint(read_file(tmp_path)))


@pytest.mark.parametrize("other", [lambda net, x: (net(x), x), lambda net, x: (net(x),)])
def test_a_program_that_returns_more_than_logits_is_refused(net, tmp_path, other):
    class Wrapped(nn.Module):
        def forward(self, images):
            return other(net, images)

    save(Wrapped(), tmp_path / "weights.pt")
    loaded = partial(checkpoints.load, TRUSTED, checkpoint(read_file(tmp_path)))

    if len(other(net, torch.rand(2, *SHAPE))) == 1:
        assert loaded() is not None
    else:
        with pytest.raises(DamagedFile, match="takes 1 inputs and returns 2 outputs; expected images and logits"):
            loaded()


def test_torchscript_gives_logits_and_gradients_for_the_images(net, tmp_path):
    torch.jit.save(torch.jit.trace(net, torch.rand(2, *SHAPE)), tmp_path / "weights.pt")
    model = checkpoints.load(TRUSTED, checkpoint(read_file(tmp_path)))
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

    model = checkpoints.load(TRUSTED, checkpoint(read_file(tmp_path)))[1]

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


def test_a_program_that_nobody_trusts_is_not_even_loaded(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.jit.save(torch.jit.script(Writer("written")), "weights.pt")
    stored = checkpoint(read_file(tmp_path))

    with pytest.raises(ValueError, match=r"can run any code of whoever made it.* trust_code: true"):
        checkpoints.load(partial(program_file, trust_code=False), stored)
    assert not Path("written").exists()

    checkpoints.load(TRUSTED, stored)  # the trap works, and would have been seen
    assert Path("written").stat().st_size == 64


@pytest.mark.parametrize("cut", [8, 3000])
def test_a_file_that_is_cut_is_told_without_a_traceback(net, tmp_path, capfd, cut):
    save(net, tmp_path / "weights.pt")
    (tmp_path / "weights.pt").write_bytes((tmp_path / "weights.pt").read_bytes()[:-cut])

    with pytest.raises(DamagedFile, match=r"not a whole file of torch\.export or TorchScript"):
        checkpoints.load(TRUSTED, checkpoint(read_file(tmp_path)))
    assert "Traceback" not in capfd.readouterr().err


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


@pytest.mark.parametrize("decomposed", [False, True])
@pytest.mark.parametrize("network", [Counting(), nn.Sequential(nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(128, 3))])
def test_a_program_that_changes_its_own_state_is_refused(tmp_path, network, decomposed):
    count = ({0: torch.export.Dim("images", min=1)},)
    program = torch.export.export(network.train(), (torch.rand(2, *SHAPE),), dynamic_shapes=count)
    torch.export.save(program.run_decompositions() if decomposed else program, tmp_path / "weights.pt")

    with pytest.raises(DamagedFile, match=r"changes its own state when it runs, as in training\. Call model\.eval"):
        checkpoints.load(TRUSTED, checkpoint(read_file(tmp_path)))


class Drawing(nn.Module):
    def __init__(self, noise):
        super().__init__()
        self.head, self.noise, self.dropout = nn.Linear(128, 3), noise, nn.Dropout(0.5)

    def forward(self, images):
        return self.dropout(self.head((images + self.noise(images)).flatten(1)))


@pytest.mark.parametrize(
    ("noise", "random"),
    [(torch.rand_like, True), (lambda images: torch.randn(images.shape), True), (torch.zeros_like, False)],
)
def test_a_program_knows_whether_it_draws_random_numbers(tmp_path, noise, random):
    save(Drawing(noise).eval(), tmp_path / "weights.pt")

    assert checkpoints.load(TRUSTED, checkpoint(read_file(tmp_path)))[1].random is random


def test_tensors_that_a_program_makes_itself_follow_the_images_to_their_device(tmp_path):
    """The meta device stands for a GPU: a tensor on the CPU would not mix with one there."""

    class Places(nn.Module):
        def forward(self, images):
            return images.flatten(1)[:, :3] + torch.arange(3, device=images.device)

    save(Places(), tmp_path / "weights.pt")
    model = checkpoints.load(TRUSTED, checkpoint(read_file(tmp_path)))[1]
    images = torch.rand(4, *SHAPE)

    for device in ("meta", "cpu"):
        logits = model.to(device)(images.to(device))
        assert logits.device.type == device and logits.shape == (4, 3)
    assert torch.equal(logits, images.flatten(1)[:, :3] + torch.arange(3))


def test_the_advice_to_export_makes_a_program_that_takes_any_number_of_images(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = nn.Sequential(nn.Flatten(), nn.Linear(144, 3))

    exec(programs.EXPORT_LINE, {"torch": torch, "model": model, "CHANNELS": 1, "HEIGHT": 12, "WIDTH": 12})

    network = programs.read_program(Path("model.pt2").read_bytes())
    assert len(network(torch.rand(1, 1, 12, 12))) == 1 and programs.stated_shape(network) == (1, 12, 12)
