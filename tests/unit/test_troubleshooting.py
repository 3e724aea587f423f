"""docs/install.md and the README: each error is printed as the page shows it."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from touchstone.__main__ import main

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/install.md").read_text()
SHOWN = re.findall(
    r"^\$ touchstone ([^\n]*)\n(.*?)(?=^\$ |\Z)",
    "".join(re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)),
    re.DOTALL | re.MULTILINE,
)
TINY = (ROOT / "workflow/studies/tiny.yaml").read_text().partition("change:\n")[0]
STUDIES = {
    "mistyped": f"{TINY}change:\n  attacks: {{pgd: {{step_sise: 0.01}}}}\n",
    "unknown": f"{TINY}change:\n  evaluations: {{detection: {{detectors: [msp, gradient_netwrk]}}}}\n",
}
# Messages that need a second run, a network, or a training: {what the page shows: the file that prints it}.
ELSEWHERE = {
    "another run is active in this folder (process ": "pipeline/orchestration/locks.py",
    "; wait until it ends, or end it, then rerun": "pipeline/orchestration/locks.py",
    ": could not download ": "data/ingest/downloads.py",
    "Without network, put these files, as they are, into a folder:": "data/ingest/downloads.py",
    ": not the raw files of ": "data/ingest/raw_files.py",
    "training diverged: the loss is ": "pipeline/steps/_training_losses.py",
    "was made by touchstone before 1.0": "pipeline/orchestration/workflow_functions.py",
}


def saved(model, name):
    any_number = ({0: torch.export.Dim("images", min=1)},)
    torch.export.save(torch.export.export(model.eval(), (torch.rand(2, 1, 8, 8),), dynamic_shapes=any_number), name)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("project")
    (folder / "workflow/studies").mkdir(parents=True)
    for name in (
        "Snakefile",
        "params.yaml",
        "requirements.lock",
        "workflow/studies/tiny.yaml",
        "workflow/studies/digits.yaml",
    ):
        shutil.copy(ROOT / name, folder / name)
    for name, text in STUDIES.items():
        (folder / f"workflow/studies/{name}.yaml").write_text(text)
    rng = np.random.default_rng(0)
    images, labels = rng.random((60, 1, 8, 8), np.float32), np.arange(60) % 10
    np.savez(folder / "images.npz", images=images, labels=labels)
    images[0, 0, 0, 0], images[0, 0, 0, 1] = 0, 1
    np.savez(folder / "bytes.npz", images=images * 16, labels=labels)
    torch.manual_seed(0)
    linear = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    torch.save(linear, folder / "model.pt")
    saved(linear, folder / "linear.pt2")
    saved(nn.Sequential(linear, nn.Softmax(1)), folder / "softmax.pt2")
    return folder


@pytest.mark.parametrize(("command", "message"), SHOWN, ids=[command for command, _ in SHOWN])
def test_a_command_that_fails_prints_what_the_page_shows(command, message, project, monkeypatch, capsys):
    monkeypatch.chdir(project)

    assert main(command.split()) == 1
    assert capsys.readouterr().err.replace(f"{project}/", "") == message.strip() + "\n"


def test_the_page_shows_ten_errors_and_messages_that_it_cannot_provoke_are_in_the_code():
    assert len(SHOWN) + 3 >= 10
    for words, file in ELSEWHERE.items():
        assert words in PAGE and words in (ROOT / "src/touchstone" / file).read_text(), words


def test_the_readmes_change_with_a_mistake_is_reported_with_its_line_and_the_nearest_setting(
    project, monkeypatch, capsys
):
    monkeypatch.chdir(project)
    text = (ROOT / "workflow/studies/digits.yaml").read_text()
    study = project / "workflow/studies/digits.yaml"
    study.write_text(text.replace("\nchange:\n", "\nchange:\n  attacks: {pgd_10: {step_sise: 0.01}}\n"))

    assert main(["check", "digits"]) == 1
    study.write_text(text)
    said, line = capsys.readouterr().err, text[: text.index("\nchange:\n")].count("\n") + 3
    assert said.startswith(f"touchstone: workflow/studies/digits.yaml:{line}: change.attacks.pgd_10.step_sise: ")
    assert said.endswith("Did you mean step_size?\n")
