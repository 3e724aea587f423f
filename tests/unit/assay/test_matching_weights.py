"""Weights of a file are found under every usual name, or the message names what the file holds and the option for it."""

from collections import OrderedDict

import pytest
import torch
from torch import nn

from touchstone.assay import weight_files
from touchstone.assay.matching_weights import chosen

NETWORK = nn.Sequential(OrderedDict(conv=nn.Conv2d(1, 2, 3), norm=nn.BatchNorm2d(2), head=nn.Linear(2, 3)))
OWN = NETWORK.state_dict()
OTHER = {name: value + 1 for name, value in OWN.items()}
OPTIMISER = torch.optim.Adam(NETWORK.parameters())
OPTIMISER.zero_grad()
sum(parameter.sum() for parameter in NETWORK.parameters()).backward()
OPTIMISER.step()
OWN = {name: value.clone() for name, value in OWN.items()}


def under(prefix, state=OWN):
    return {prefix + name: value for name, value in state.items()}


def read(content, tmp_path, key=None):
    """Return the weights of a file and the notes on it, as an assay reads them."""
    torch.save(content, tmp_path / "w.pt")
    return chosen(weight_files.read_weights(tmp_path / "w.pt"), OWN, key, "w.pt")


ROBUSTNESS = {
    **under("module.model."), **under("module.attacker.model."), "module.normalizer.new_mean": torch.zeros(3),
}  # fmt: skip
WRAPPED = {
    **{key: {key: OWN, "epoch": 3} for key in ("ema", "model_state", "params", "net", "state_dict", "model_state_dict")},
    **{key: {key: OWN} for key in ("model", "network", "weights", "module", "generator", "best")},
    **{prefix: under(prefix) for prefix in ("module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module.", "net.")},
    **{prefix: under(prefix) for prefix in ("model.", "module.attacker.model.", "backbone.encoder.")},
    "within names": {name.replace("conv.", "conv.module.").replace("head.", "head._orig_mod."): v for name, v in OWN.items()},
    "at both places": {f"module.{name.replace('conv.', 'conv.module.')}": v for name, v in OWN.items()},
    "an optimiser beside it": {"model": OWN, "optimizer": OPTIMISER.state_dict(), "epoch": 3, "args": {"lr": 0.1}},
    "Lightning": {"state_dict": under("net."), "optimizer_states": [OPTIMISER.state_dict()], "callbacks": {}},
    "a list": {"models": [OWN]},
    "two levels": {"checkpoint": {"model": under("module.")}},
    "the same weights twice": {"model": OWN, "ema": dict(OWN)},
    "before BatchNorm counted": {name: value for name, value in OWN.items() if "num_batches" not in name},
}  # fmt: skip


@pytest.mark.parametrize("case", WRAPPED)
def test_weights_are_found_under_every_usual_name(tmp_path, case):
    weights, notes = read(WRAPPED[case], tmp_path)

    assert all(torch.equal(value, OWN[name]) for name, value in weights.items()) and len(weights) >= len(OWN) - 1
    assert not notes
    NETWORK.load_state_dict(weights)


@pytest.mark.parametrize(
    ("content", "unread"),
    [
        ({"module": OWN, "n_averaged": torch.tensor(3)}, "1 other tensors were not, such as n_averaged"),
        (under("module.") | {"n_averaged": torch.tensor(3)}, "the weights under module were read, and 1 other tensors"),
        (ROBUSTNESS, "and 1 other tensors were not, such as module.normalizer.new_mean"),
        ({"state_dict": under("net.") | {"loss.weight": torch.zeros(3)}}, "such as state_dict.loss.weight"),
        ({"model": OWN, "rng": {"cpu": torch.get_rng_state()}}, "under model were read, and 1 other tensors were not"),
    ],
)
def test_what_is_not_read_is_said(tmp_path, content, unread):
    _, (note,) = read(content, tmp_path)

    assert unread in note


SEVERAL = {
    "two dicts": ({"model": OWN, "ema": OTHER}, "ema"),
    "timm": ({"state_dict": OWN, "state_dict_ema": OTHER}, "state_dict_ema"),
    "two words before names": (under("student.") | under("teacher.", OTHER), "teacher"),
    "DINO": ({"student": under("module.backbone."), "teacher": under("backbone.", OTHER)}, "teacher"),
    "last and best": ({"last": OWN, "best": OTHER}, "best"),
    "one dict with a copy": (dict(OWN) | under("ema.", OTHER), "ema"),
}


@pytest.mark.parametrize("case", SEVERAL)
def test_one_of_several_weights_is_taken_only_by_its_key(tmp_path, case):
    content, key = SEVERAL[case]

    with pytest.raises(ValueError, match=rf"w\.pt: several of its weights fit the network: .*{key}.*--key "):
        read(content, tmp_path)
    weights, (note,) = read(content, tmp_path, key)
    assert torch.equal(weights["head.bias"], OTHER["head.bias"]) and "other tensors were not" in note


def test_a_mistyped_key_is_answered_with_the_nearest(tmp_path):
    with pytest.raises(
        ValueError, match=r"no weights under --key eam\. Did you mean ema\?.* It holds weights under model and ema"
    ):
        read({"model": OWN, "ema": OTHER}, tmp_path, "eam")


def changed(**changes):
    state = {name: value for name, value in OWN.items() if name not in changes}
    return state | {name: value for name, value in changes.items() if value is not None}


MISFITS = {
    "a missing name": (changed(**{"head.bias": None}), r"1 are missing, such as head\.bias$"),
    "another name": (
        {name.replace("head.bias", "heads.bias"): v for name, v in OWN.items()},
        r"1 are missing, such as head\.bias\. Did you mean heads\.bias\?; the network does not have heads\.bias$",
    ),
    "more names": (changed(extra=torch.zeros(1)), r"the network does not have extra$"),
    "other classes": (
        changed(**{"head.weight": torch.zeros(10, 2), "head.bias": torch.zeros(10)}),
        r"head\.weight is 10 x 2 in the file and 3 x 2 in the network; the file is for 10 classes and the network for 3",
    ),
    "another width": (changed(**{"conv.weight": torch.zeros(4, 1, 3, 3)}), r"conv\.weight is 4 x 1 x 3 x 3 in the file"),
    "another network": (
        {"layer1.weight": torch.zeros(3)},
        r"none of their names are the network's, such as layer1\.weight; the network has conv\.weight, conv\.bias",
    ),
    "another network twice": ({"a": {"x": torch.zeros(3)}, "b": {"x": torch.zeros(3)}}, r"It holds weights under a and b"),
    "under a key": ({"ema": changed(extra=torch.zeros(1))}, r" under ema do not fit the network: the network does not have extra$"),
}  # fmt: skip


@pytest.mark.parametrize("case", MISFITS)
def test_weights_that_do_not_fit_are_named(tmp_path, case):
    content, told = MISFITS[case]

    with pytest.raises(ValueError, match=rf"^w\.pt: the weights.*{told}"):
        read(content, tmp_path)


@pytest.mark.parametrize(
    "content", [{"optimizer": OPTIMISER.state_dict()}, {"epoch": 3}, [torch.zeros(3)], {"a": {"b": {"c": {}}}}]
)
def test_a_file_without_weights_says_so(tmp_path, content):
    with pytest.raises(ValueError, match="contains no state dict"):
        read(content, tmp_path)


def test_a_dict_within_itself_ends(tmp_path):
    content = {"model": OWN}
    content["self"] = [content] * 1000

    with pytest.raises(ValueError, match=r"w\.pt: holds more than 100,000 dicts and lists"):
        read(content, tmp_path)
