"""An assay without a study: of a function, a defence that rejects, and two models compared."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from touchstone.__main__ import main
from touchstone.assay import direct, model_zoo

DEFENCE = """
import torch

def lead(images):
    return images.flatten(1).mean(1) - 0.5

def classify(images):
    return torch.stack([-lead(images), lead(images)], 1)

def defend(images):
    return classify(images), -lead(images).abs()

def decide(images):
    return classify(images), lead(images).abs() < 0.04

def build():
    return defend

def early(images):
    return torch.stack([0.2 - lead(images), lead(images) - 0.2], 1)

def swapped(images):
    return classify(images).flip(1)

def broken(images):
    return classify(images), "no"

def dictionary(images):
    return {"logits": classify(images)}

def crashing(images):
    raise RuntimeError('no such layer')

def numbers(images):
    return classify(torch.from_numpy(images.numpy())), torch.zeros(len(images), dtype=torch.bool)

def rounded(images):
    return classify((images * 50).round() / 50 + 0 * images)

def unfollowed(images):
    return classify(images.detach())

def guessing(images):
    return classify((images * 1e4).frac())

SEEN = []

def watched(images):
    SEEN.append((len(images), torch.get_num_threads(), images.requires_grad))
    return classify(images)

def moving(images):
    raise RuntimeError("Found no NVIDIA driver on your system. Please check that you have one")

def network():
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(1, 2))

def never(images):
    return torch.stack([-1 - lead(images), lead(images) - 1, 3 + 0 * lead(images)], 1)
"""
FEW = ["--quick", "--eps", "26/255", "--trust-code"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A folder with defences, and images of one pixel whose class is their brightness."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_defence.py").write_text(DEFENCE)
    levels = np.linspace(2, 253, 160).astype(np.uint8)
    np.savez(tmp_path / "gray.npz", images=levels[:, None, None], labels=(levels > 127).astype(np.int64))
    torch.set_num_threads(1)
    yield tmp_path
    torch.set_num_threads(1)


def assay(*words):
    return main(["assay", *words, "--data", "gray.npz", *FEW, "--json", "out.json"])


def found():
    return json.loads(Path("out.json").read_text())


def test_a_function_that_classifies_falls_to_the_share_beyond_eps(capsys):
    assert assay("own_defence:classify") == 0

    assert found()["robust_accuracy"]["value"] == pytest.approx(0.8, abs=0.05)
    said = capsys.readouterr().out
    assert "accuracy under the worst attack: " in said and "reject" not in said
    assert "about 1 min" in said and "no gradient" not in said


@pytest.mark.parametrize("name", ["defend", "build"])
def test_scores_get_a_threshold_and_every_attacker_a_line(name, capsys):
    assert assay(f"own_defence:{name}", "--markdown", "out.md") == 0

    said = capsys.readouterr().out
    assert "left (right or rejected) if the attacker sees only answers: " in said and "threshold -0." in said
    assert found()["robust_accuracy"]["value"] <= found()["left_knowing_classifier"]["value"]
    assert found()["left_knowing_answers"]["what"] == "left (right or rejected) if the attacker sees only answers"
    assert "| rejected, clean images |" in Path("out.md").read_text()


def test_a_decision_to_reject_needs_no_threshold_and_shares_of_what_is_rejected_are_called_those_of_all_images(capsys):
    assert assay("own_defence:decide", "--images", "40", "--fail-under", "0.99") == 5  # it judges what is left

    assert found()["robust_accuracy"]["value"] == pytest.approx(0.88, abs=0.1)
    said = capsys.readouterr()
    assert "is below 0.99" in said.err and "of them rejected" not in said.out
    rejected = found()["rejected_knowing_answers"]["what"]
    assert rejected == "rejected, of all attacked images, if the attacker sees only answers"


def test_a_budget_between_two_levels_is_no_note_because_images_are_not_rounded(capsys):
    words = ["own_defence:classify", "--data", "gray.npz", "--quick", "--eps", "26.5/255", "--trust-code"]
    assert main(["assay", *words]) == 0

    assert "8 bits" not in capsys.readouterr().out


def test_failed_checks_of_the_second_model_say_nothing_of_the_first(capsys):
    assert assay("own_defence:classify", "--against", "own_defence:rounded", "--fail-under", "0.5") == 0

    assert found()["failed_checks"] == [] and found()["can_be_trusted"] is True and found()["failed_checks_against"]
    said = capsys.readouterr().out
    assert "Do not trust the robust accuracy of own_defence:rounded above 0" in said
    assert "accuracy of own_defence:classify above 0" not in said


def test_two_models_are_compared_image_by_image(capsys):
    assert assay("own_defence:classify", "--against", "own_defence:early") == 0

    assert found()["difference"]["value"] == pytest.approx(0.1, abs=0.05)
    assert found()["difference"]["low"] < found()["difference"]["value"] < found()["difference"]["high"]
    assert "robust difference, paired: +" in capsys.readouterr().out


def test_the_normalisation_of_the_first_model_is_not_put_before_a_network_of_robustbench(monkeypatch):
    first, second = (nn.Sequential(nn.Flatten(), nn.Linear(1, 2)) for _ in range(2))
    for model, shift in ((first, 0.0), (second, 0.5)):  # the second takes pixels, and the first those less 0.5
        model[1].weight.data, model[1].bias.data = torch.tensor([[-1.0], [1.0]]), torch.tensor([shift, -shift])
    torch.save(first.state_dict(), "first.pt")
    monkeypatch.setattr(model_zoo, "network", lambda name: second)

    words = ["--architecture", "own_defence:network", "--mean", "0.5", "--against", "robustbench:Carmon2019Unlabeled"]
    assert assay("first.pt", *words) == 0

    assert found()["clean_accuracy"]["value"] == found()["clean_accuracy_against"]["value"] == 1
    assert found()["difference"]["value"] == 0


def test_of_a_network_accuracy_alone_is_measured_if_that_is_asked_for(capsys):
    network = nn.Sequential(nn.Flatten(), nn.Linear(1, 2))
    network[1].weight.data, network[1].bias.data = torch.tensor([[-1.0], [1.0]]), torch.tensor([0.5, -0.5])
    torch.save(network.state_dict(), "weights.pt")

    assert assay("weights.pt", "--architecture", "own_defence:network", "--accuracy-only") == 0

    assert found()["robust_accuracy"]["value"] == pytest.approx(0.8, abs=0.05)
    assert not list(Path().glob("*.yaml")) and not Path("workflow").exists()
    assert assay("weights.pt", "--architecture", "own_defence:network", "--accuracy-only", "--out", "x.yaml") == 1
    assert "--out: accuracy alone is measured (--accuracy-only), so no study" in capsys.readouterr().err


@pytest.mark.parametrize("against", [[], ["--against", "own_defence:classify"]])
def test_so_many_images_are_attacked_at_a_time_and_on_so_many_cores_as_the_user_asks_for(against, monkeypatch):
    monkeypatch.setattr("touchstone.pipeline.jobs.processes.available_cores", lambda: 3)

    assert assay("own_defence:watched", *against, "--images", "20", "--batch-size", "9", "--cores", "2") == 0

    seen = sys.modules["own_defence"].SEEN
    assert found()["images"] == 20
    assert max(count for count, _, followed in seen if followed) == 9  # the gate tries 8
    assert {cores for _, cores, _ in seen} == {2}
    seen.clear()


def test_numpy_inside_is_attacked_along_an_imitation_which_is_said_at_once(capsys):
    assert assay("own_defence:numbers", "--images", "40") == 0

    assert "a small network that is trained to imitate it" in capsys.readouterr().out.splitlines()[0]

    assert found()["robust_accuracy"]["value"] == pytest.approx(0.8, abs=0.1)


def test_twenty_images_are_enough_for_an_accuracy_and_fewer_are_refused(folder, capsys):
    levels = np.linspace(2, 253, 20).astype(np.uint8)
    np.savez(folder / "few.npz", images=levels[:, None, None], labels=(levels > 127).astype(np.int64))
    assert main(["assay", "own_defence:classify", "--data", "few.npz", *FEW, "--json", "out.json"]) == 0
    assert found()["clean_accuracy"]["value"] == 1

    np.savez(folder / "fewer.npz", images=levels[1:, None, None], labels=(levels[1:] > 127).astype(np.int64))
    assert main(["assay", "own_defence:classify", "--data", "fewer.npz", *FEW]) == 1
    assert "19 images that can be read; an assay needs at least 20" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["own_defence:swapped"], "another order"),
        (["own_defence:broken"], "returns str beside its logits for 2 images"),
        (["own_defence:dictionary"], "own_defence:dictionary: the function returns a dict, expected logits"),
        (["own_defence:dictionary"], "model(images)['logits']"),
        (["own_defence:crashing"], "does not take your images, 1 x 1 x 1 (channels x height x width): no such layer"),
        (
            ["own_defence:moving"],
            "moves tensors to a GPU, and is opened on the CPU (Found no",
        ),
        (
            ["own_defence:classify", "--images", "107"],
            "--images 107: half of them are attacked, 80 of your 160",
        ),
        (["own_defence:defned"], "touchstone: own_defence:defned: module 'own_defence' has no attribute 'defned'"),
        (["own_defence:defned"], "Did you mean defend?"),
        (["own_defence:classify", "--backward", "own_defence:clasify"], "touchstone: own_defence:clasify: module"),
        (["own_defence:defend", "--out", "x.yaml"], "--out: own_defence:defend is a function, so no study is written"),
        (["own_defence:defend", "--against", "own_defence:build", "--draws", "20"], "--draws: two models are compared"),
        (["own_defence:never", "--against", "own_defence:classify"], "own_defence:never: right on 0%"),
        (
            ["own_defence:classify", "--against", "own_defence:unfollowed"],
            "own_defence:unfollowed: the logits have no gradient",
        ),
        (["own_defence:classify", "--against", "own_defence:never"], "own_defence:never: right on 0%"),
        (["own_defence:classify", "--against", "own_defence:decide"], "own_defence:decide returns what it rejects"),
        (["own_defence:defend", "--mean", "0.5"], "leave out --mean and --std"),
    ],
)
def test_what_cannot_be_assayed_is_refused_in_a_sentence(words, message, capsys):
    assert assay(*words) == 1

    assert message in capsys.readouterr().err


def test_a_function_is_not_called_without_trust(capsys):
    assert main(["assay", "own_defence:defend", "--data", "gray.npz"]) == 1

    assert "add --trust-code" in capsys.readouterr().err


@pytest.mark.parametrize("against", [[], ["--against", "own_defence:early"]])
def test_a_dry_run_says_how_long_it_takes_and_attacks_nothing(against, monkeypatch, capsys):
    for name in ("evaluate_defence", "evaluate_pair"):
        monkeypatch.setattr(direct, name, None)

    assert main(["assay", "own_defence:classify", *against, "--data", "gray.npz", *FEW, "--dry-run"]) == 0

    assert re.search(r"^\d+ images are attacked, about 1 min\.$", capsys.readouterr().out, re.M)


@pytest.mark.parametrize("against", [[], ["--against", "own_defence:early"]])
def test_what_weakens_a_result_is_in_its_files_too(against):
    assert assay("own_defence:classify", *against, "--markdown", "out.md", "--fail-under", "0.9") == 5

    assert any("--quick is weaker than the one raced" in note for note in found()["notes"])
    assert found()["fail_under"] == {"bound": 0.9, "met": False, "judged": "the value, not its interval"}
    shown = Path("out.md").read_text()
    assert "--quick is weaker" in shown and "- --fail-under 0.9: not met, robust accuracy" in shown


def test_a_model_that_is_no_better_than_guessing_is_doubted_in_every_form():
    assert assay("own_defence:guessing", "--markdown", "out.md") == 0

    doubt = "The clean accuracy is not above that of guessing, 50.0 %"
    assert doubt in found()["notes"][0] and doubt in Path("out.md").read_text()


def test_a_network_is_named_by_the_digest_of_its_weights():
    (Path("network_file.py")).write_text(
        "import torch\ndef build(scale=1):\n    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(1, 2))\n"
        "    net[1].weight.data, net[1].bias.data = scale * torch.tensor([[-1.0], [1.0]]), scale * torch.tensor([0.5, -0.5])\n"
        "    return net\ndef twice():\n    return build(2)\n"
    )

    assert assay("network_file:build", "--against", "network_file:twice", "--images", "10") == 0
    both = found()["weights_sha256"], found()["weights_sha256_against"]
    assert assay("network_file:twice", "--images", "10") == 0
    assert found()["weights_sha256"] == both[1] != both[0]
    assert assay("own_defence:classify", "--images", "10") == 0
    assert "weights_sha256" not in found()
