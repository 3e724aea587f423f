"""Files as RobustBench's are, written here without the reader's help; and files that would run code."""

import collections
import pickle
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from touchstone.data.sources.checkpoint_file import checkpoint_file
from touchstone.digests import folder_digest, sha256
from touchstone.models.networks import checkpoints
from touchstone.models.pretrained.robustbench import robustbench
from touchstone.models.resnet18 import resnet18
from touchstone.models.standardising_wide_resnet import standardising_wide_resnet
from touchstone.pipeline.steps.convert import convert
from touchstone.records.damage import DamagedFile
from touchstone.records.encoding import decode, encode

torch.set_num_threads(1)

SHAPE = (3, 8, 8)
# Names and shapes of RobustBench's ResNet18 at width 2, typed out: the format, not what the package calls its weights.
NORM = ("weight", "bias", "running_mean", "running_var")


def norm(name, width):
    yield from ((f"{name}.{part}", (width,)) for part in NORM)
    yield f"{name}.num_batches_tracked", ()


def resnet18_names(width=2, classes=4):
    yield "conv1.weight", (width, 3, 3, 3)
    yield from norm("bn1", width)
    before = width
    for stage in range(1, 5):
        for block in range(2):
            after, name = width * 2 ** (stage - 1), f"layer{stage}.{block}"
            yield f"{name}.conv1.weight", (after, before, 3, 3)
            yield from norm(f"{name}.bn1", after)
            yield f"{name}.conv2.weight", (after, after, 3, 3)
            yield from norm(f"{name}.bn2", after)
            if before != after:
                yield f"{name}.shortcut.0.weight", (after, before, 1, 1)
                yield from norm(f"{name}.shortcut.1", after)
            before = after
    yield "linear.weight", (classes, before)
    yield "linear.bias", (classes,)


def state_dict(prefix=""):
    generator = torch.Generator().manual_seed(0)
    return collections.OrderedDict(
        (prefix + name, torch.tensor(7) if shape == () else torch.rand(shape, generator=generator) + 0.1)
        for name, shape in resnet18_names()
    )


def written(folder, content, **how):
    folder.mkdir(exist_ok=True)
    torch.save(content, folder / "weights.pt", **how)
    return folder


NARROW = partial(resnet18, width=2)


def converted(folder, model=NARROW, **more):
    settings = {"input_shape": SHAPE, "classes": 4, "mean": (0.0,) * 3, "std": (1.0,) * 3} | more
    return convert(
        folder, reader=robustbench, name="pretrained/robustbench", sha256=folder_digest(folder),
        architecture=model, architecture_settings={"use": "models/resnet18", "width": 2}, **settings,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("content", "how"),
    [
        (state_dict(), {}),
        ({"state_dict": state_dict("module."), "epoch": 3}, {}),
        ({"state_dict": state_dict("model."), "args": {"lr": 0.1}}, {}),
        ({"model_state_dict": state_dict("module.model.")}, {}),
        (state_dict("module."), {"_use_new_zipfile_serialization": False}),  # as torch wrote before 1.6
    ],
    ids=["bare", "data parallel", "wrapped", "both", "old format"],
)
def test_every_wrapping_gives_the_same_weights(tmp_path, content, how):
    found = robustbench(written(tmp_path / "file", content, **how))

    expected = state_dict()
    assert set(found) == set(expected)
    assert all(np.array_equal(found[name], expected[name].numpy()) for name in expected)


def test_weights_that_want_a_gradient_or_have_half_the_bits_are_read(tmp_path):
    weights = state_dict()
    kept = {name: nn.Parameter(value) if value.is_floating_point() else value for name, value in weights.items()}
    halves = {name: value.bfloat16() if value.is_floating_point() else value for name, value in weights.items()}

    assert np.array_equal(robustbench(written(tmp_path / "a", kept))["linear.weight"], weights["linear.weight"].numpy())
    assert robustbench(written(tmp_path / "b", halves))["linear.weight"].dtype == np.float32


def test_one_of_several_state_dicts_is_chosen(tmp_path):
    folder = written(tmp_path / "file", {"last": state_dict(), "best": {"conv1.weight": torch.zeros(1)}})

    assert "linear.weight" in robustbench(folder, choose="last")
    assert list(robustbench(folder, choose="best")) == ["conv1.weight"]
    with pytest.raises(DamagedFile, match="no state dict called first"):
        robustbench(folder, choose="first")


class Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (Path(self.path),)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("kind", ["in a torch file", "a bare pickle"])
def test_a_file_that_would_run_code_is_refused_and_does_not(tmp_path, kind):
    folder, sign = tmp_path / "file", tmp_path / "exploded"
    folder.mkdir()
    if kind == "a bare pickle":
        (folder / "weights.pt").write_bytes(pickle.dumps({"state_dict": Bomb(sign)}))
    else:
        written(folder, {"state_dict": state_dict(), "more": Bomb(sign)})

    with pytest.raises(DamagedFile, match="not a file of plain weights"):
        robustbench(folder)

    assert not sign.exists()


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 cut off", b"not a checkpoint"])
def test_what_is_no_checkpoint_is_refused(tmp_path, data):
    (tmp_path / "weights.pt").write_bytes(data)

    with pytest.raises(DamagedFile):
        robustbench(tmp_path)


def test_a_converted_file_is_a_checkpoint_that_says_what_the_network_says(tmp_path):
    checkpoint = decode(encode(converted(written(tmp_path / "file", {"state_dict": state_dict("module.")}))))

    images = torch.rand(5, *SHAPE, generator=torch.Generator().manual_seed(1))
    model = checkpoints.load(partial(resnet18, width=2), checkpoint)
    with torch.no_grad():
        logits = model(images)
    assert logits.shape == (5, 4) and not model.training
    by_hand = forward(state_dict(), images)
    torch.testing.assert_close(logits, by_hand)


def forward(state, images):
    """The published network in functional form, straight from the file's names."""

    def bn(x, name):
        mean, var = state[f"{name}.running_mean"], state[f"{name}.running_var"]
        return nn.functional.batch_norm(x, mean, var, state[f"{name}.weight"], state[f"{name}.bias"])

    def conv(x, name, stride=1, padding=1):
        return nn.functional.conv2d(x, state[f"{name}.weight"], stride=stride, padding=padding)

    x = bn(conv(images, "conv1"), "bn1").relu()
    for stage in range(1, 5):
        for block in range(2):
            name, stride = f"layer{stage}.{block}", 2 if stage > 1 and block == 0 else 1
            inner = bn(conv(x, f"{name}.conv1", stride), f"{name}.bn1").relu()
            inner = bn(conv(inner, f"{name}.conv2"), f"{name}.bn2")
            if f"{name}.shortcut.0.weight" in state:
                x = bn(conv(x, f"{name}.shortcut.0", stride, 0), f"{name}.shortcut.1")
            x = (inner + x).relu()
    return x.mean((2, 3)) @ state["linear.weight"].T + state["linear.bias"]


def test_weights_of_another_network_are_refused_by_name(tmp_path):
    state = state_dict()
    del state["layer4.1.bn2.bias"]

    with pytest.raises(DamagedFile, match=r"missing layer4\.1\.bn2\.bias"):
        converted(written(tmp_path / "file", state))
    with pytest.raises(DamagedFile, match=r"unknown layer1\.0"):
        converted(written(tmp_path / "file", state_dict()), model=partial(standardising_wide_resnet, depth=10, width=1))


def test_a_file_that_is_not_the_one_asked_for_is_refused(tmp_path):
    folder = written(tmp_path / "file", state_dict())

    with pytest.raises(DamagedFile, match="expected sha256:00"):
        convert(
            folder, reader=robustbench, name="", sha256="sha256:00", architecture=resnet18, architecture_settings={},
            input_shape=SHAPE, classes=4, mean=(0.0,), std=(1.0,),
        )  # fmt: skip


def test_the_digest_of_a_source_follows_from_that_of_its_file(tmp_path):
    source = tmp_path / "some.pt"
    source.write_bytes(b"weights")
    (tmp_path / "raw").mkdir()

    checkpoint_file(tmp_path / "raw", location=str(source))

    line = sha256(b"weights").removeprefix("sha256:") + "  weights.pt\n"
    assert folder_digest(tmp_path / "raw") == sha256(line.encode())
    with pytest.raises(FileNotFoundError, match="no file"):
        checkpoint_file(tmp_path / "raw", location=str(tmp_path / "missing.pt"))


def test_each_image_is_standardised_by_itself_so_brightness_and_contrast_change_nothing():
    model = checkpoints.build(partial(standardising_wide_resnet, depth=10, width=1), SHAPE, 4, (0.0,) * 3, (1.0,) * 3)
    image = torch.rand(1, *SHAPE, generator=torch.Generator().manual_seed(0))

    with torch.no_grad():
        first, second = model.eval()(image), model(0.5 * image + 0.3)

    torch.testing.assert_close(first, second, rtol=1e-3, atol=1e-3)
