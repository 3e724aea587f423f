"""A classifier that is a file: settings, plan, and the job that makes a checkpoint of it."""

import shutil
from pathlib import Path

import pytest
import torch

from touchstone.digests import sha256
from touchstone.models.mlp import mlp
from touchstone.models.networks import checkpoints
from touchstone.pipeline.jobs import job_plan, run
from touchstone.pipeline.jobs.artefacts import Artefacts
from touchstone.pipeline.planning.plan import Plan
from touchstone.provenance import sidecar_files
from touchstone.provenance.store import Store
from touchstone.records import encoding, nouns
from touchstone.settings.files import ParamsError
from touchstone.settings.study import load

ROOT = Path(__file__).parents[2]
FOLDER = "results/own/train/theirs.0"
NETWORK = f"{FOLDER}/networks/theirs.0.safetensors"
ENTRY = (
    "{use: robustbench, source: their_file, model: {use: mlp, hidden: [8]}, input_shape: [1, 28, 28], classes: 10%s}"
)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with the settings, and a small file of weights that another network wrote."""
    for name in ("params.yaml", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "workflow/studies").mkdir(parents=True)
    net = mlp((1, 28, 28), 10, hidden=[8])
    torch.save({"state_dict": {f"module.{k}": v for k, v in net.state_dict().items()}}, tmp_path / "theirs.pt")
    monkeypatch.chdir(tmp_path)
    return net


def study(entry=ENTRY % "", is_pinned=True):
    data = Path("theirs.pt").read_bytes()
    digest = sha256(f"{sha256(data).removeprefix('sha256:')}  weights.pt\n".encode())
    pin = f'"{digest}"' if is_pinned else "null"
    Path("workflow/studies/own.yaml").write_text(
        f"""title: Their network
data:
  sources:
    sklearn_digits: {{use: sklearn_digits, sha256: null}}
    their_file: {{use: checkpoint_file, location: theirs.pt, sha256: {pin}}}
  calibration: {{digits_calibration: {{use: digits, source: sklearn_digits, part: calibration}}}}
  sets:
    digits_train: {{use: digits, source: sklearn_digits, part: train}}
    digits_validation: {{use: digits, source: sklearn_digits, part: validation}}
    digits_test: {{use: digits, source: sklearn_digits, part: test}}
change:
  classifiers: {{theirs: {entry}}}
  evaluations:
    their_accuracy: {{use: robustness, question: 'How accurate?', classifiers: [theirs], examples: [digits_test]}}
"""
    )
    return load("own", Path())


def test_a_file_is_a_classifier_of_one_seed_like_any_other(project):
    plan = Plan(study())

    (task,) = plan.jobs["train", "theirs.0"].tasks
    assert (task.step, task.inputs) == ("convert", {"folder": "data/raw/their_file"})
    assert task.output == NETWORK
    assert (task.settings["mean"], task.settings["std"]) == ([0.0], [1.0])
    assert {cell.facts["entry"] for cell in plan.questions.cells("their_accuracy", ("outputs",))} == {"theirs"}


@pytest.mark.parametrize("is_pinned", [True, False])
def test_the_job_makes_a_checkpoint_that_says_what_the_file_says(project, is_pinned):
    plan = Plan(study(is_pinned=is_pinned))

    written, raw = plan.write(), "data/raw/their_file"
    fetch = job_plan.load(written["fetch", "their_file"], [], raw)
    run.run(Artefacts(fetch, Store("own")), Path("logs"))
    train = Artefacts(job_plan.load(written["train", "theirs.0"], [raw], FOLDER), Store("own"))
    run.run(train, Path("logs"))
    train.finish(Path(FOLDER))

    checkpoint = encoding.decode(Path(NETWORK).read_bytes(), nouns.Checkpoint)
    images = torch.rand(3, 1, 28, 28)
    with torch.no_grad():
        said = checkpoints.load(lambda *shape: mlp(*shape, hidden=[8]), checkpoint)(images)
        torch.testing.assert_close(said, project(images))
    assert sidecar_files.read_sidecar(Path(NETWORK))["step"] == "convert"


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        (ENTRY % ", epochs: 3", "own.yaml:12: change.classifiers.theirs.epochs: not a setting of pretrained/robustbench.py"),
        (ENTRY % ", seeds: [0, 1]", "classifiers.theirs.seeds: not a setting"),
        (ENTRY % ", mean: [0.1, 0.2]", "classifiers.theirs.mean: expected one value for each of 1 channels"),
        (ENTRY.replace("[1, 28, 28]", "[28, 28]") % "", "classifiers.theirs.input_shape: expected channels, height, width"),
        (ENTRY.replace("their_file", "their_fil") % "", "Did you mean their_file?"),
        (
            "{use: clean, model: {use: mlp}, train: digits_train, validation: digits_validation, source: their_file}",
            "classifiers.theirs.source: a network that is trained here has no source",
        ),
    ],
)  # fmt: skip
def test_what_does_not_go_with_a_file_is_told(project, entry, told):
    with pytest.raises(ParamsError) as error:
        study(entry)

    assert told in str(error.value)
