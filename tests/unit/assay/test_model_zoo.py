"""Networks of RobustBench by name: files of the exact format, with random weights; nothing is unpickled or invented."""

import collections
import re
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from torch import nn

from touchstone.assay import arguments, model_zoo, user_models
from touchstone.commands import assay
from touchstone.network_files import zoo_networks

torch.set_num_threads(1)
pytestmark = pytest.mark.usefixtures("readers_with_torch")
NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


def norms(*names):
    return [f"{name}.{part}" for name in names for part in NORM]


# Names of RobustBench's files, typed out from its source: what they call their weights, not what this package does.
def trades_names(depth):
    yield from ("conv1.weight", *norms("bn1"), "fc.weight", "fc.bias")
    for group in ("block1", "block2", "block3", "sub_block1"):
        for block in range((depth - 4) // 6):
            name = f"{group}.layer.{block}"
            yield from (*norms(f"{name}.bn1", f"{name}.bn2"), f"{name}.conv1.weight", f"{name}.conv2.weight")
            if block == 0:
                yield f"{name}.convShortcut.weight"


def deepmind_names(depth):
    yield from ("init_conv.weight", *norms("batchnorm"), "logits.weight", "logits.bias")
    for group in range(3):
        for block in range((depth - 4) // 6):
            name = f"layer.{group}.block.{block}"
            yield from (
                *norms(f"{name}.batchnorm_0", f"{name}.batchnorm_1"),
                f"{name}.conv_0.weight",
                f"{name}.conv_1.weight",
            )
            if block == 0:
                yield f"{name}.shortcut.weight"


def stages(convolutions, normed, shortcut, layer="layer{}", first=1, widened=()):
    for stage in range(4):
        for block in range(2):
            name = f"{layer.format(stage + first)}.{block}"
            yield from (*(f"{name}.{c}.weight" for c in convolutions), *norms(*(f"{name}.{n}" for n in normed)))
            if block == 0 and (stage > 0 or widened):
                yield from (f"{name}.{part}" for part in shortcut)


BASIC = ("conv1", "conv2"), ("bn1", "bn2")
FORMATS = {
    "wide_resnet": ({"depth": 16, "width": 2}, lambda: trades_names(16)),
    "dm_wide_resnet": ({"depth": 16, "width": 2, "activation": "silu"}, lambda: deepmind_names(16)),
    "dm_preact_resnet": (
        {"activation": "silu", "width": 4},
        lambda: [
            *("conv_2d.weight", *norms("batchnorm"), "logits.weight", "logits.bias"),
            *stages(("conv_2d_1", "conv_2d_2"), ("batchnorm_0", "batchnorm_1"), ["shortcut.weight"], "layer_{}", 0),
        ],
    ),
    "resnet": (
        {"block": "basic", "blocks": [2, 2, 2, 2], "width": 4},
        lambda: [
            *("conv1.weight", *norms("bn1"), "linear.weight", "linear.bias"),
            *stages(*BASIC, ["shortcut.0.weight", *norms("shortcut.1")]),
        ],
    ),
    "preact_resnet": (
        {"blocks": [2, 2, 2, 2], "width": 4, "last_norm": True, "active_shortcut": True},
        lambda: [*("conv1.weight", *norms("bn"), "linear.weight", "linear.bias"), *stages(*BASIC, ["shortcut.0.weight"])],
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", FORMATS)
def test_the_names_of_the_weights_are_those_of_robustbench(kind):
    settings, names = FORMATS[kind]

    network = getattr(zoo_networks, kind)(10, **settings)

    assert set(network.state_dict()) == {name for name in names() if not name.startswith(model_zoo.UNUSED)}
    with torch.no_grad():
        assert network.eval()(torch.rand(2, 3, 32, 32)).shape == (2, 10)


@pytest.fixture
def stored(tmp_path, monkeypatch):
    """A small network under the name of an entry, and a function that writes its file."""
    monkeypatch.chdir(tmp_path)
    settings = FORMATS["wide_resnet"][0]
    small = {"network": {"kind": "wide_resnet", **settings}}
    name = "cifar10/Linf/Carmon2019Unlabeled"
    monkeypatch.setattr(
        model_zoo, "table", lambda: {name: model_zoo.yaml.safe_load(model_zoo.TABLE.read_text())[name] | small}
    )
    torch.manual_seed(0)
    network = zoo_networks.wide_resnet(10, **settings)

    def write(content):
        path = Path(f"models/{name}.pt")
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(content, path)
        return path

    return network.eval(), write


def wrapped(network):
    state = collections.OrderedDict((f"module.{name}", value) for name, value in network.state_dict().items())
    unused = {"module.sub_block1.layer.0.conv1.weight": torch.rand(16, 16, 3, 3)}
    return {"state_dict": state | unused, "epoch": 7, "mu": None}


def test_a_file_is_read_as_data_its_digest_is_pinned_and_a_swapped_file_is_refused(stored):
    network, write = stored
    path = write(wrapped(network))

    model = user_models.open_model("robustbench:Carmon2019Unlabeled")

    images = torch.rand(3, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(model.network(images), network(images))
    record = path.with_name(f"{path.name}.sha256")
    assert re.fullmatch(r"[0-9a-f]{64}  Carmon2019Unlabeled\.pt\n", record.read_text())
    assert "89.69 % on clean images, 59.53 % under attack, linf eps 8/255, by AutoAttack" in model.notes[0]
    user_models.open_model("robustbench:Carmon2019Unlabeled")
    nn.init.zeros_(network.fc.weight)
    write(wrapped(network))
    with pytest.raises(ValueError, match=r"recorded .* at the first load. Delete that record if you replaced the file"):
        user_models.open_model("robustbench:Carmon2019Unlabeled")


def test_a_files_own_normalisation_comes_before_the_tables(stored):
    network, write = stored
    write({**network.state_dict(), "mu": torch.full((1, 3, 1, 1), 0.5), "sigma": torch.full((1, 3, 1, 1), 0.25)})

    assert user_models.open_model("robustbench:Carmon2019Unlabeled").normalisation == ([0.5] * 3, [0.25] * 3)


class Hostile:
    def __reduce__(self):
        return Path.touch, (Path("run"),)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"state_dict": Hostile()}, "contains more than weights"),
        (
            {"state_dict": {"fc.weight": torch.rand(2, 2)}},
            "not the weights of cifar10/Linf/Carmon2019Unlabeled: Missing",
        ),
    ],
)
def test_a_file_with_code_or_other_weights_is_refused(stored, content, expected):
    _, write = stored
    write(content)

    with pytest.raises(ValueError, match=expected):
        user_models.open_model("robustbench:Carmon2019Unlabeled")
    assert not Path("run").exists()


def test_every_entry_is_whole_and_its_network_can_be_built():
    table = model_zoo.table()

    assert len(table) >= 20
    assert {name.rpartition("/")[0] for name in table} == {
        "cifar10/Linf",
        "cifar10/L2",
        "cifar100/Linf",
        "imagenet/Linf",
    }
    for name, facts in table.items():
        assert re.fullmatch(r"[\w-]{33}", facts["drive"]) and 0 <= facts["robust"] < facts["clean"] < 100, name
        assert 0 < model_zoo.ZooEntry(name, facts).published.radius <= 0.5
    for facts in {str(facts["network"]): facts for facts in table.values()}.values():
        if facts["network"]["kind"] == "torchvision" and find_spec("torchvision") is None:
            continue  # the library alone
        with torch.device("meta"):
            network = model_zoo.ZooEntry("", facts).network()
        side = 224 if facts["classes"] == 1000 else 32
        assert network.eval()(torch.empty(1, 3, side, side, device="meta")).shape == (1, facts["classes"])


@pytest.mark.parametrize(
    ("name", "error", "expected"),
    [
        ("Carmon2019Unlabelled", ValueError, "Did you mean Carmon2019Unlabeled?"),
        ("Standard", ValueError, "write robustbench:cifar10/Linf/Standard for the first"),
        ("Carmon2019Unlabeled", FileNotFoundError, "id=15tUx-gkZMYx7BfEOw1GY5OKC-jECIsPQ .* models/cifar10/Linf/Carmon2019Unlabeled.pt"),
    ],
)  # fmt: skip
def test_what_is_missing_is_named(tmp_path, monkeypatch, name, error, expected):
    monkeypatch.chdir(tmp_path)

    with pytest.raises(error, match=expected.replace("?", r"\?")):
        user_models.open_model(f"robustbench:{name}")


@pytest.mark.parametrize(
    ("name", "eps"), [("imagenet/Linf/Salman2020Do_R18", "4/255"), ("cifar10/L2/Ding2020MMA", "8/255")]
)
def test_the_budget_is_the_published_one_if_it_is_linf(tmp_path, name, eps):
    import argparse

    parser = argparse.ArgumentParser()
    assay.add(parser)

    assert arguments.parsed(parser.parse_args([f"robustbench:{name}", "--data", str(tmp_path)])).eps_written == eps
