"""The evidence of evaluate(): whoever has the model can check it, and what was changed is named."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import touchstone
from touchstone.__main__ import main
from touchstone.evidence import evaluation_checks
from touchstone.evidence_files import archive
from touchstone.records import encoding

EPS = 0.05


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    """The folder with the model's file and the evidence about it."""
    folder = tmp_path_factory.mktemp("evaluation")
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(36, 3)).eval()
    images = torch.rand(24, 1, 6, 6)
    labels = model(images).argmax(1)
    labels[:3] = (labels[:3] + 1) % 3
    batch = torch.export.Dim("batch")
    torch.export.save(torch.export.export(model, (images,), dynamic_shapes=({0: batch},)), folder / "model.pt2")
    torch.export.save(
        torch.export.export(nn.Sequential(nn.Flatten(), nn.Linear(36, 3)), (images,), dynamic_shapes=({0: batch},)),
        folder / "other.pt2",
    )
    result = touchstone.evaluate(model, images, labels, eps=EPS, steps=2, restarts=1, queries=5, evidence=folder / "e")
    return folder, result


def test_honest_evidence_holds_with_the_model_and_half_without(honest, capsys):
    folder, result = honest

    assert main(["verify", str(folder / "e"), "--model", str(folder / "model.pt2"), "--trust-code"]) == 0
    text = capsys.readouterr().out
    assert f"robust accuracy is {100 * result.robust_accuracy.value:.1f} %" in text
    assert "no stronger attack exists" in text
    assert main(["verify", str(folder / "e"), "--model", str(folder / "model.pt2")]) == 1
    assert "add --trust-code" in capsys.readouterr().err
    assert main(["verify", str(folder / "e")]) == 4
    assert "bring the model" in capsys.readouterr().out


@pytest.mark.parametrize("option", [["--root", "sha256:0"], ["--study", "digits"], ["--share", "0.5"]])
def test_an_option_that_would_compare_nothing_is_refused(honest, option, capsys):
    assert main(["verify", str(honest[0] / "e"), *option]) != 0
    assert "for evidence of a study" in capsys.readouterr().err


def noun(name, **change):
    def edit(files, about):
        held = encoding.decode(files[f"{name}.safetensors"])
        fields = {field: function(getattr(held, field).copy()) for field, function in change.items()}
        files[f"{name}.safetensors"] = encoding.encode(replace(held, **fields))

    return edit


def stated(name, **values):
    def edit(files, about):
        about[name] = about[name] | values if values else 2 * EPS

    return edit


def moved(images):
    images[0] = np.where(images[0] > 0.5, images[0] - EPS - 1 / 255, images[0] + EPS + 1 / 255)
    return images


FORGED = [
    ("an attacked image over the budget", noun("attacked", images=moved), "budget", "attacked.safetensors"),
    ("swapped labels", noun("attacked", labels=lambda labels: labels[::-1].copy()), "budget", "attacked.safetensors"),
    ("flipped predictions", noun("attacked_logits", logits=lambda logits: logits[:, ::-1].copy()), "recomputation", "predictions are other classes"),
    ("logits scaled by 1 %", noun("clean_logits", logits=lambda logits: logits * np.float32(1.01)), "recomputation", "clean_logits"),
    ("other clean images", noun("clean", images=lambda images: images[::-1].copy()), "budget", "attacked.safetensors"),
    ("a smaller eps", lambda files, about: about.update(eps=EPS / 2), "budget", "attacked.safetensors"),
    ("an eps that allows every image", lambda files, about: about.update(eps=1.0), "budget", "attacked.safetensors"),
    ("a norm that is none", lambda files, about: about.update(norm=["linf"]), "budget", "attacked.safetensors"),
    ("a better robust accuracy", stated("robust_accuracy", value=0.99), "recomputation", "robust_accuracy"),
    ("a narrower interval", stated("clean_accuracy", low=0.9), "recomputation", "clean_accuracy"),
    ("no robust accuracy", lambda files, about: about.pop("robust_accuracy"), "recomputation", "robust_accuracy"),
    ("no clean images", lambda files, about: files.pop("clean.safetensors"), "bytes", "clean.safetensors"),
    ("a pickle instead of images", lambda files, about: files.update({"clean.safetensors": b"\x80\x04."}), "bytes", "clean.safetensors"),
]  # fmt: skip


def edited(folder, tmp_path, edit):
    """The evidence after an edit of its files and of what it says about them."""
    evidence, _ = archive.unpack(folder / "e", tmp_path)
    files = {name: (tmp_path / name).read_bytes() for name in evidence.entries}
    about = dict(evidence.about)
    edit(files, about)
    archive.write(
        tmp_path / "edited", evidence.kind, about, [(name, lambda data=data: data) for name, data in files.items()]
    )
    return tmp_path / "edited"


@pytest.mark.parametrize(("edit", "check", "named"), [row[1:] for row in FORGED], ids=[row[0] for row in FORGED])
def test_a_forgery_is_named(honest, tmp_path, edit, check, named):
    folder, _ = honest

    result = evaluation_checks.verify(
        edited(folder, tmp_path, edit), [str(folder / "model.pt2")], "cpu", trust_code=True
    )

    assert [each for each in result.problems if each.check == check and named in str(each)], result.problems


def test_an_image_that_was_wrong_before_the_attack_is_not_robust_whatever_it_is_after_it(honest, tmp_path):
    def right(logits):
        labels = encoding.decode((tmp_path / "attacked.safetensors").read_bytes()).labels
        logits[:3] = 9 * np.eye(3, dtype=np.float32)[labels[:3]]
        return logits

    result = evaluation_checks.verify(edited(honest[0], tmp_path, noun("attacked_logits", logits=right)), [], "cpu")

    assert result.problems == []


def test_the_page_of_forgeries_lists_them():
    page = (Path(__file__).parents[3] / "docs" / "forgeries.md").read_text()
    missing = [f"| {name} | {check} |" for name, _, check, _ in FORGED if f"| {name} | {check} |" not in page]

    assert missing == []


def test_another_model_is_named(honest):
    folder, _ = honest
    result = evaluation_checks.verify(folder / "e", [str(folder / "other.pt2")], "cpu", trust_code=True)

    assert {problem.file for problem in result.problems} == {"clean_logits.safetensors", "attacked_logits.safetensors"}
